"""What all tests share; the fixtures themselves are in the fix_*.py beside this file."""

pytest_plugins = ["tests.fix_servers", "tests.fix_house"]
