"""The report as a reader's browser sees it."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import subprocess
from itertools import pairwise

import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--window-size=1280,1000",
)
# The report has no scripts: these are added to a copy and report what was seen.
EARLY = """<script>
const seen = {errors: []};
addEventListener('error', e => seen.errors.push(String(e.message || e.target.tagName)),
                 true);
addEventListener('securitypolicyviolation', e => seen.errors.push(e.blockedURI));
addEventListener('load', () => {
  seen.load_ms = performance.now();
  const box = e => e.getBoundingClientRect();
  seen.images = [...document.images].map(i => ({
    alt: i.alt, width: i.naturalWidth, height: i.naturalHeight, done: i.complete,
    shown: box(i).width > 0, right: box(i).right}));
  seen.headings = [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => ({
    level: Number(h.tagName[1]), text: h.textContent.trim()}));
  seen.requests = performance.getEntriesByType('resource').map(r => r.name)
    .filter(n => !n.startsWith('data:'));
  seen.references = [...document.querySelectorAll('[src],[href],[srcset],[data]')]
    .filter(e => e.tagName !== 'A')
    .map(e => e.getAttribute('src') || e.getAttribute('href') || '')
    .filter(u => u && !u.startsWith('data:') && !u.startsWith('#'));
  seen.width = document.documentElement.scrollWidth;
  seen.title = document.title;
  seen.lang = document.documentElement.lang;
  const out = document.createElement('pre');
  out.id = 'seen-by-test';
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
});
</script>"""


@pytest.fixture(scope="module")
def browser():
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.skip(f"none of {', '.join(BROWSERS)} is on the PATH: no page is opened")


def open_page(browser, page, profile):
    """What the browser saw, and its log."""
    done = subprocess.run(
        [
            browser,
            *FLAGS,
            f"--user-data-dir={profile}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = re.search(r'<pre id="seen-by-test">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stdout[-1000:] + done.stderr[-1000:]
    return json.loads(html.unescape(found[1])), done.stderr


def complaints(log):
    """Lines that the page's console wrote."""
    return [line for line in log.splitlines() if "CONSOLE" in line]


def with_probe(text):
    assert "<head>" in text
    return text.replace("<head>", "<head>" + EARLY, 1)


@pytest.fixture(scope="module")
def report(example_project):
    """The page as it was written."""
    return (example_project.runs()[-1] / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def seen(browser, report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    page = folder / "report.html"
    page.write_text(with_probe(report), encoding="utf-8")
    return open_page(browser, page, folder / "profile")


def test_the_probe_sees_what_is_wrong(browser, tmp_path):
    """A broken page is told from a whole one."""
    page = tmp_path / "broken.html"
    page.write_text(
        with_probe(
            "<html><head></head><body><h1>a</h1><h3>b</h3>"
            '<img src="data:image/png;base64,AAAA"><img src="http://nowhere.test/a.png">'
            "<script>nothing.there()</script></body></html>"
        )
    )
    found, log = open_page(browser, page, tmp_path / "profile")
    assert "nothing is not defined" in "".join(complaints(log))
    assert [image["width"] for image in found["images"]] == [0, 0]
    assert any("nothing" in error for error in found["errors"])
    assert found["references"] == ["http://nowhere.test/a.png"]
    assert [heading["level"] for heading in found["headings"]] == [1, 3]


def test_every_image_is_shown(seen):
    images = seen[0]["images"]
    assert len(images) >= 10
    for image in images:
        assert image["done"] and image["width"] > 0 and image["height"] > 0, image
        assert image["shown"], image["alt"]


def test_every_image_says_in_words_what_it_shows(seen):
    texts = [image["alt"] for image in seen[0]["images"]]
    assert all(len(text) > 10 for text in texts), texts
    assert len(set(texts)) == len(texts), "each its own"


def test_no_error_and_no_warning(seen):
    found, log = seen
    assert found["errors"] == []
    assert complaints(log) == []


def test_nothing_is_asked_for_outside_the_page(seen, report):
    found, _ = seen
    assert found["requests"] == []
    assert found["references"] == []
    assert "<script" not in report
    assert not re.search(r"""(src|srcset)\s*=\s*["']?\s*(https?:)?//""", report)
    assert not re.search(r"url\(\s*['\"]?\s*(https?:)?//|@import", report)


def test_headings_are_in_order(seen):
    headings = seen[0]["headings"]
    levels = [heading["level"] for heading in headings]
    assert levels[0] == 1 and levels.count(1) == 1
    for before, after in pairwise(levels):
        assert after <= before + 1, headings
    assert all(heading["text"] for heading in headings)


def test_it_is_there_within_two_seconds(seen):
    assert 0 < seen[0]["load_ms"] < 2000


JUDGE = """<script>addEventListener('load', () => {
  document.querySelectorAll('fieldset').forEach((box, i) => {
    box.querySelectorAll('input[type=radio]')[i % 2].click(); });
  document.querySelector('input[name$="-comment"]').value = 'says "maybe", twice';
  const out = document.createElement('pre');
  out.id = 'seen-by-test';
  out.textContent = JSON.stringify({sheet: sheet(),
    count: document.getElementById('count').textContent});
  document.body.append(out);
});</script>"""


def test_events_are_judged_in_the_browser(browser, example_project, tmp_path):
    """What is clicked stands in the sheet that the page saves."""
    out = tmp_path / "events"
    done = example_project.kedro(
        "cyto", "events", "export", "--most", "2", "-o", str(out)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = out / "judge.html"
    page.write_text(page.read_text("utf-8").replace("</body>", JUDGE + "</body>"))
    found, log = open_page(browser, page, tmp_path / "profile")
    assert complaints(log) == []
    saved = pd.read_csv(io.StringIO(found["sheet"]), keep_default_na=False)
    asked = pd.read_csv(out / "sheet.csv", keep_default_na=False)
    assert list(saved.columns) == list(asked.columns)
    assert saved["question"].tolist() == asked["question"].tolist()
    answers = ["yes" if i % 2 == 0 else "no" for i in range(len(asked))]
    assert saved["answer"].tolist() == answers
    assert saved["comment"][0] == 'says "maybe", twice'
    assert found["count"] == f"{len(asked)} of {len(asked)} judged"


def test_it_fits_the_window(seen):
    found, _ = seen
    assert found["width"] <= 1280
    assert all(image["right"] <= 1280 for image in found["images"])
    assert found["title"] and found["lang"] == "en"
