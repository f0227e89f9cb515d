"""Parameters: made, traced, tagged and measured."""


def create_param():
    pass


def collect_shared_vars():
    pass
