"""`python -P -m stepwell`: how `up` and `demo` start their children; people use the script `stepwell`."""

from stepwell.main import main

if __name__ == "__main__":
    main()
