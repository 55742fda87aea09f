"""How much machine a definition needs: it is run with stubbed partners, and the rest is arithmetic that is shown."""
