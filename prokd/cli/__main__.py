"""``python -m prokd.cli``: the command ``prokd``."""

from prokd.__main__ import main

if __name__ == "__main__":
    main()
