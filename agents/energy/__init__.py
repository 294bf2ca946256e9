"""What the world offers: feeds behind one Protocol, vintages, forecasts, simulations, and quotes made of them."""
