"""`python -m earshot` is the `earshot` command."""

from earshot.cli.main import main

main()
