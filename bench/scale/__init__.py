"""How it is with a lot: data by the million made by SQL, and a load kept up for hours."""
