"""The formats of roster files: what the cells of any spreadsheet mean, and where each row came from."""
