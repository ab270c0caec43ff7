"""How good a model is, shown with its uncertainty: figures of merit, effects without truth, displays, reports."""
