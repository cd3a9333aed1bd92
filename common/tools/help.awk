# help.awk - print what stands behind ## in the Makefile: groups, and a line for each target.
#
#   ##@ Group
#   target: prerequisites ## VARIABLE=value | what it does

/^##@/ {
    sub(/^##@ */, "")
    printf "%s%s\n", (groups++ ? "\n" : ""), $0
}

/^[a-z][a-z0-9-]*:.*## / {
    target = $0
    sub(/:.*/, "", target)
    sub(/.*## */, "")
    split($0, part, / *[|] */)
    usage = "make" (target == "all" ? "" : " " target) (part[1] == "" ? "" : " " part[1])
    printf "  %-37s  %s\n", usage, part[2]
}
