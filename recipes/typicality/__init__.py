"""What random samples of many dimensions are like."""
