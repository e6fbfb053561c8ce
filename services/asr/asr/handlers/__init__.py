"""Facts in: plan a recording, recognise its parts, join them."""
