"""An identity manager in small: what people.csv says is what the service provider has."""
