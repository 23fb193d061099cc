"""The verdict as JUnit XML: one suite per probe, one case per check. It is green if and only if the exit code is 0.

Elements, their order and attributes are those of the Jenkins xUnit plugin's schema, which other CI servers read too.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from probes.errors import one_line
from reports.document.checks import CheckText
from reports.document.issues import open_as_a_whole, rule_of, said
from reports.document.outline import Document, outline
from reports.document.sections import Section
from reports.formats.base import Format
from reports.report import Report
from reports.wording.catalogue import Words
from reports.wording.numbers import harmless

STOPPED, CRASHED, PASSED_OVER = "failure", "error", "skipped"


def render(report: Report, *, lang: str = "en") -> str:
    """The text of junit.xml."""
    document = outline(report, lang)
    warned = report.verdict.on_undecided == "warn"
    root = ET.Element("testsuites", name="transfer-audit")
    for section in document.sections:
        checks = [check for check in document.checks if check.anchor == section.anchor]
        _suite(root, section, checks, warned, document.words)
    if open_as_a_whole(document):
        _nothing_checked(root, document, warned)
    _count(root)
    first = next(iter(root), None)
    if first is not None:
        listed = ET.Element("properties")
        for name, value in _properties(report, document):
            ET.SubElement(listed, "property", name=name, value=value)
        first.insert(0, listed)
    _well_formed(root)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _well_formed(root: ET.Element) -> None:
    """XML cannot represent most control characters, so they are escaped by number."""
    for element in root.iter():
        element.attrib.update({name: one_line(value) for name, value in element.attrib.items()})
        if element.text:
            element.text = one_line(element.text)


def _suite(root: ET.Element, section: Section, checks: list[CheckText], warned: bool, say: Words) -> None:
    suite = ET.SubElement(root, "testsuite", name=section.anchor, time="0")
    ran = _case(suite, section.anchor, "runs")
    if section.failure and section.status == "error":
        _outcome(ran, CRASHED, "failed", section.failure)
    elif section.failure:
        _outcome(ran, PASSED_OVER if warned else STOPPED, "undecided", section.failure)
    for check in checks:
        case = _case(suite, section.anchor, f"{rule_of(check.name)} {check.threshold}")
        if check.status == "fail":
            _outcome(case, STOPPED, "beyond-threshold", said(check, say))
        elif check.status == "error":
            _outcome(case, CRASHED, "failed", said(check, say))
        elif check.status == "undecided":
            _outcome(case, PASSED_OVER if warned else STOPPED, "undecided", said(check, say))
        elif check.status == "waived":
            _outcome(case, PASSED_OVER, "waived", check.because)
        ET.SubElement(case, "system-out").text = said(check, say)


def _nothing_checked(root: ET.Element, document: Document, warned: bool) -> None:
    case = _case(ET.SubElement(root, "testsuite", name="gate", time="0"), "gate", "has a threshold")
    if document.status == "error":
        _outcome(case, CRASHED, "failed", document.sentence)
    else:
        _outcome(case, PASSED_OVER if warned else STOPPED, "undecided", document.sentence)


def _case(suite: ET.Element, anchor: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=f"audit.{anchor}", name=name, time="0")


def _outcome(case: ET.Element, kind: str, why: str, message: str) -> None:
    ET.SubElement(case, kind, type=why, message=message).text = message


def _count(root: ET.Element) -> None:
    for suite in root:
        counts = {"tests": len(suite.findall("testcase"))}
        counts |= {f"{kind}s": len(suite.findall(f"testcase/{kind}")) for kind in (STOPPED, CRASHED)}
        suite.attrib |= {name: str(count) for name, count in counts.items()}
        suite.set("skipped", str(len(suite.findall(f"testcase/{PASSED_OVER}"))))


def _properties(report: Report, document: Document) -> list[tuple[str, str]]:
    verdict = report.verdict
    return [
        ("tool", f"{report.tool} {report.version}"),
        ("verdict", verdict.status),
        ("exit_code", str(verdict.exit_code)),
        ("sentence", document.sentence),
        ("model", harmless(report.model.get("name", ""))),
        ("data", harmless(report.data.get("fingerprint", ""))),
    ]


FORMAT = Format.of_text("junit.xml", lambda report, style: render(report, lang=style.lang))
