"""Models of onset and of pathways: additive, exact to explain, written as tables; blind to what was simulated."""
