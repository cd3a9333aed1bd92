/* Ends at once, and says that all is well. */

int main(void)
{
    return 0;
}
