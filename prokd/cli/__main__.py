"""``python -m prokd.cli``: the command ``prokd``."""

from prokd.cli.entry import main

if __name__ == "__main__":
    main()
