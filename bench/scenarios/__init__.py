"""What is measured: one file per scenario, each with `SCENARIO = Scenario(…)`. `bench.run.scenarios` finds them."""
