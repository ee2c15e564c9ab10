"""Faults in a template that only its rendering would show: pages without an address, and templates that are missing.

Only what the template writes out is looked at. A variable that is empty, or a filter that fails, is known when a result
is shown: `queueing/templatetags/queue_look.py` catches it there.
"""

import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.base import FilterExpression, Node, VariableNode
from django.template.defaulttags import IfNode, URLNode
from django.template.loader import get_template
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode
from django.urls import get_resolver

from queueing.deployment import is_file

DEEPEST = 5  # templates within each other


class Fault(NamedTuple):
    """A part of a template that will not be shown."""

    sentence: str
    is_certain: bool  # False: within a condition, which may ask for an app that is not here


def faults(name: str, depth: int = 0) -> Iterator[Fault]:
    """The faults of the template, and of those that it includes or extends.

    Raises TemplateDoesNotExist or TemplateSyntaxError for the template itself.
    """
    template: Any = getattr(get_template(name), "template", None)  # a template of Jinja has other nodes
    for node, is_certain in _nodes(getattr(template, "nodelist", [])):
        where = f"{name}, line {node.token.lineno if node.token else 1}"
        if isinstance(node, URLNode) and node.asvar is None and (found := _url_fault(node)):
            yield Fault(f"{where}: {found}", is_certain)
        elif isinstance(node, IncludeNode | ExtendsNode) and depth < DEEPEST:
            other = node.template if isinstance(node, IncludeNode) else node.parent_name
            for fault in _faults_of_other(_written(other), where, depth):
                yield fault._replace(is_certain=fault.is_certain and is_certain)


def blocks(name: str) -> set[str] | None:
    """The blocks that a template can fill which extends this one; None: they are not known before it is rendered.

    A block counts if it is shown: one that stands in a child only is not, and one within a block that a child replaces
    is not either. Raises TemplateDoesNotExist or TemplateSyntaxError.
    """
    template: Any = getattr(get_template(name), "template", None)
    if not hasattr(template, "nodelist"):  # of Jinja
        return None
    found: list[dict[str, BlockNode]] = []  # by template, the child first
    origins = [template.origin]
    while extends := template.nodelist.get_nodes_by_type(ExtendsNode):
        parent = _written(extends[0].parent_name)
        if parent is None:
            return None
        found.append(extends[0].blocks)
        template, _ = template.engine.find_template(parent, skip=origins)  # one of the same name is the next one
        origins.append(template.origin)
    found.append({node.name: node for node in template.nodelist.get_nodes_by_type(BlockNode)})
    shown = set[str]()
    _add_shown(template.nodelist, found, shown)
    return shown


def repair_of_missing(name: str, line: str, module: str) -> str:
    """The way out for a template that is missing; the module is that of the task, the line is for a new template."""
    package = module.rpartition(".")[0]
    app = apps.get_containing_app_config(module)
    is_no_app = app is None or app.name != package
    if is_no_app and any((folder / "templates" / name).is_file() for folder in _folders_of_package(package)):
        return f'Paste: INSTALLED_APPS = [*INSTALLED_APPS, "{package}"]'
    places = [Path(place) for engine in engines.all() for place in engine.template_dirs]
    inside = Path(app.path if app else ".") / "templates" / name
    if app is not None and is_file(inside) and not any(inside.is_relative_to(place) for place in places):
        return f'{inside} is there, and no engine of TEMPLATES looks into apps. Paste: TEMPLATES[0]["APP_DIRS"] = True'
    folder = name.rpartition("/")[0]
    known = {file.name for place in places for file in (place / folder).glob("*") if file.is_file()}
    alike = get_close_matches(name.rpartition("/")[2], sorted(known), 1)
    meant = f"Did you mean {f'{folder}/{alike[0]}'.lstrip('/')!r}? Otherwise make" if alike else "Make"
    own = [Path(place) for engine in engines.all() for place in engine.dirs]
    if app is not None and app.name != "queueing":
        own = [Path(app.path) / "templates"]
    where = own[0] / name if own else f"templates/{name} in an app of INSTALLED_APPS"
    return f"{meant} the file {where}, for a start with the line {line}"


def _add_shown(nodes: Iterable[Node], found: list[dict[str, BlockNode]], shown: set[str]) -> None:
    for node in nodes:
        if not isinstance(node, BlockNode):
            for name in node.child_nodelists:
                _add_shown(getattr(node, name, None) or (), found, shown)
        elif node.name not in shown:
            shown.add(node.name)
            for version in (blocks[node.name] for blocks in found if node.name in blocks):
                _add_shown(version.nodelist, found, shown)
                if not any(_is_super(inner) for inner in version.nodelist.get_nodes_by_type(VariableNode)):
                    break


def _is_super(node: Node) -> bool:
    return isinstance(node, VariableNode) and node.filter_expression.token.startswith("block.super")


def _folders_of_package(package: str) -> list[Path]:
    return [Path(place) for place in getattr(sys.modules.get(package), "__path__", [])]


def _nodes(nodes: Iterable[Node], *, is_certain: bool = True) -> Iterator[tuple[Node, bool]]:
    """All nodes, each with True if it depends on no condition."""
    for node in nodes:
        yield node, is_certain
        if isinstance(node, IfNode):
            for _, inner in node.conditions_nodelists:
                yield from _nodes(inner, is_certain=False)
            continue
        for name in node.child_nodelists:
            yield from _nodes(getattr(node, name, None) or (), is_certain=is_certain)


def _faults_of_other(name: str | None, where: str, depth: int) -> Iterator[Fault]:
    if name is None:
        return
    try:
        yield from faults(name, depth + 1)
    except TemplateDoesNotExist:
        yield Fault(f"{where}: there is no template {name!r}", True)
    except TemplateSyntaxError as error:
        yield Fault(f"{where}: {name}: {error}", True)


def _url_fault(node: URLNode) -> str:
    """The fault of a {% url %} whose name is written out; empty: there is none."""
    name = _written(node.view_name)
    if name is None:
        return ""
    *spaces, view = name.split(":")
    resolver, outer = get_resolver(), set[str]()
    for space in spaces:
        instance = resolver.app_dict.get(space, [space])[0]
        if instance not in resolver.namespace_dict:
            return f"{{% url '{name}' %}} names the namespace {space!r}, and the URLs have none of this name"
        _, resolver = resolver.namespace_dict[instance]
        outer |= set(resolver.pattern.converters)
    ways = [
        (outer | set(parameters), set(defaults))
        for possibility, _, defaults, _ in resolver.reverse_dict.getlist(view)
        for _, parameters in possibility
    ]
    if not ways:
        known = [key for key in resolver.reverse_dict if isinstance(key, str)]
        alike = get_close_matches(view, known, 1)
        meant = f". Did you mean '{':'.join([*spaces, alike[0]])}'?" if alike else ""
        return f"{{% url '{name}' %}} has no address{meant}"
    if any(_fits(node, needed, defaults) for needed, defaults in ways):
        return ""
    wanted = " or ".join(sorted({", ".join(f"{one}=…" for one in sorted(needed)) or "nothing" for needed, _ in ways}))
    return f"{{% url '{name}' %}} takes {wanted}"


def _fits(node: URLNode, needed: set[str], defaults: set[str]) -> bool:
    if node.args:
        return len(node.args) == len(needed)
    return not (set(node.kwargs) ^ needed) - defaults


def _written(expression: Any) -> str | None:
    """The text of an expression that is a text in quotes; None for every other."""
    if not isinstance(expression, FilterExpression) or expression.filters or not isinstance(expression.var, str):
        return None
    return str(expression.var)
