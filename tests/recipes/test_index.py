"""The template of recipes, and the pages that recipes write about themselves."""

import pytest

from recipes import index, template
from recipes.claims import Claim, near
from tests.recipes.running import check_files, failed, run

ROOT = index.Path(index.__file__).parent.parent
# A package takes part in this as soon as it has a page of results.
PACKAGES = [
    name for name in index.packages() if (ROOT / index.FOLDER / f"{name}.rst").exists()
]


def test_the_template_runs_and_keeps_what_it_promises(tmp_path):
    """Catches a template that new recipes should not be copied from."""
    numbers = run("template", "--smoke", "--backend", "python", "--output", tmp_path)
    assert failed(numbers) == []
    check_files(tmp_path, "template")


def test_every_recipe_says_how_it_is_run_and_what_it_found():
    """Catches a recipe that lacks its command, its time or its source."""
    names = [name for each in PACKAGES for name in index.recipe_names(each)]
    assert len(names) > 20
    for name in names:
        doc = index.importlib.import_module(f"recipes.{name}").__doc__
        assert f"    python -m recipes.{name}" in doc, name
        assert "\nTime: " in doc, name
        assert "TIME" not in doc, name
        assert "\n* " in doc, name
        assert len(doc.splitlines()[0]) < 90, name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_recipe_has_its_results_in_the_documentation(package):
    """Catches a recipe whose page was not written."""
    page = (ROOT / index.FOLDER / f"{package}.rst").read_text(encoding="utf-8")
    for name in index.recipe_names(package):
        assert f"``{name}``\n~~~" in page, name


def test_a_section_says_what_does_not_hold():
    """Catches a page that only tells of success, and markup in a claim."""
    claims = {
        "a*b": Claim("a*b", 3.0, most=2),
        "c": near("c", 1.0, 1.0, 0.1),
    }
    text = index.section("template", claims, 3.2)
    assert "1 of 2 claims hold; 3 s." in text
    assert r"a\*b" in text
    assert "**does not hold**" in text
    assert template.__doc__.splitlines()[0] in text


def test_a_page_is_kept_in_order_and_up_to_date(tmp_path):
    """Catches sections that are lost, doubled or left as they were."""
    path = tmp_path / "typicality.rst"
    for name, value in (("mirage", 1), ("coins", 2), ("mirage", 3)):
        name = f"typicality.{name}"
        text = index.section(name, {"a": Claim("a", value, most=5)}, 1.0)
        index.merge(path, "typicality", name, text)
    page = path.read_text(encoding="utf-8")
    assert (
        page.count("``typicality.mirage``") == page.count("``typicality.coins``") == 1
    )
    assert page.index("coins") < page.index("mirage")
    assert "     - 3\n" in page
    assert "     - 1\n" not in page


def test_packages_are_asked_for_by_name(tmp_path, capsys):
    """Catches a run of nothing, without a word."""
    with pytest.raises(SystemExit):
        index.main(["typicalities", "--output", str(tmp_path)])
    assert "invalid choice: 'typicalities'" in capsys.readouterr().err
