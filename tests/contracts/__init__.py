"""Properties that hold for every public class."""
