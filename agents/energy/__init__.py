"""What the world offers: feeds behind one Protocol, their vintages, forecasts and simulations, and the quotes made of them."""
