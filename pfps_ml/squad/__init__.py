"""The squad report: how many cases to expect, who to see first, and where to spend the next hour."""
