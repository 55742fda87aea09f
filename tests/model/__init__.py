"""The project's own exhaustive model of the protocol of holder, inbox and bell."""
