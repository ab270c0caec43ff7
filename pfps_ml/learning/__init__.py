"""Models of onset and of pathways: additive, exact to explain, written as tables. They cannot know what was simulated."""
