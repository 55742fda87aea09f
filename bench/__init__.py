"""The benchmark harness: scenarios, measurements, reports."""
