"""Opens a page of `flux-image coverage -o html` in headless Chromium, as people do: from a file,
with and without JavaScript, light and dark, wide and narrow.

    coverage_page.py CHROMIUM PAGE FOLDER tree|clusters

The page is one of the tree that the test has made, or of two clusters. Screenshots go to FOLDER. What is not as it should be ends it with an assertion.
"""

import pathlib
import sys

from playwright.sync_api import sync_playwright

CHROMIUM, PAGE, FOLDER, KIND = sys.argv[1:5]
URL = pathlib.Path(PAGE).resolve().as_uri()
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def opened(browser, **options):
    """A page in a context of its own, and what it said and asked for."""
    context = browser.new_context(**options)
    page = context.new_page()
    heard = []
    page.on("console", lambda message: heard.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: heard.append(f"error: {error}"))
    page.on("dialog", lambda dialog: heard.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: request.url == URL or heard.append(f"request: {request.url}"))
    page.goto(URL)
    return context, page, heard


def rows(page):
    return page.locator("tbody tr:not(.group):not(.none):visible")


def column(page, number):
    return [text.strip() for text in page.locator(f"tbody tr:not(.group) > :nth-child({number})").all_inner_texts()]


def head(page, title):
    return page.get_by_role("columnheader", name=title)


def luminance(color):
    def linear(value):
        value /= 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(float(part)) for part in color[color.index("(") + 1 : -1].split(",")[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrasts(page):
    """Text of each kind against the page, as WCAG counts it."""
    background = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    for selector in [".lead", ".state.automated", ".state.pinned", ".state.excluded", ".state.held",
                     ".state.mutable", ".state.dead", ".state.forgotten", ".more", "thead th", "#count", "dd"]:
        color = page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
        light, dark = sorted([luminance(color), background], reverse=True)
        ratio = (light + 0.05) / (dark + 0.05)
        assert ratio >= 4.5, f"{selector}: {ratio:.2f}"


def without_script(browser, scheme):
    context, page, heard = opened(
        browser, java_script_enabled=False, color_scheme=scheme, viewport=NARROW if scheme == "dark" else WIDE)
    assert page.get_by_role("heading", level=1).inner_text() == "Image coverage"
    assert rows(page).count() == 14, rows(page).count()
    assert not page.locator("#controls").is_visible()
    assert page.get_by_text("forgotten").first.is_visible()
    page.screenshot(path=f"{FOLDER}/no-script-{scheme}.png")
    assert heard == [], heard
    context.close()


def with_script(browser, scheme):
    context, page, heard = opened(browser, color_scheme=scheme, viewport=WIDE)
    is_dark = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.2
    assert is_dark == (scheme == "dark")
    assert rows(page).count() == 14
    assert page.evaluate("document.title").startswith("Image coverage: ")
    page.screenshot(path=f"{FOLDER}/{scheme}.png", full_page=True)

    # Filter, as it is typed.
    page.get_by_label("Filter").press_sequentially("acme/app 1.2.3")
    # Waited for without `eval`, which the page's policy forbids.
    page.locator("#count", has_text=" of ").wait_for()
    # The rows of the first letters may stand for a moment.
    for _ in range(100):
        if all("acme/app" in text for text in column(page, 2)):
            break
        page.wait_for_timeout(50)
    assert all("acme/app" in text for text in column(page, 2)), column(page, 2)
    assert 0 < rows(page).count() < 14
    page.get_by_label("Filter").fill("nothing has this")
    page.wait_for_selector(".none")
    page.get_by_role("button", name="Reset").click()
    assert rows(page).count() == 14

    # Sort: by the keyboard, then by a click, and back.
    button = head(page, "Image").get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    assert head(page, "Image").get_attribute("aria-sort") == "ascending"
    images = column(page, 2)
    assert images == sorted(images, key=str.lower), images
    button.click()
    assert head(page, "Image").get_attribute("aria-sort") == "descending"
    assert column(page, 2)[0] == images[-1]
    head(page, "Newer tags").get_by_role("button").click()
    assert head(page, "Image").get_attribute("aria-sort") is None
    assert column(page, 5 + page.locator("[data-key=cluster]").count())[0].startswith("2"), column(page, 6)

    # Group, and the states of the legend.
    page.get_by_label("Group by").select_option("folder")
    groups = page.locator("tr.group").all_inner_texts()
    assert [group.split()[0] for group in groups] == ["apps/", "build/", "elsewhere/"], groups
    assert "covered" in groups[0]
    page.screenshot(path=f"{FOLDER}/{scheme}-by-folder.png")
    for name in ["image", "state"] + ["cluster"] * page.locator("[data-key=cluster]").count():
        page.get_by_label("Group by").select_option(name)
        assert page.locator("tr.group").count() > 1, name
        assert rows(page).count() == 14, name
    legend = page.get_by_role("button", name="forgotten")
    legend.click()
    assert legend.get_attribute("aria-pressed") == "true"
    assert set(column(page, 1)) == {"forgotten"}
    page.get_by_role("button", name="Reset").click()
    assert rows(page).count() == 14

    contrasts(page)
    assert page.locator("img, script[src], link").count() == 0
    assert heard == [], heard
    # The page's own policy lets nothing else in, and no other script run.
    blocked = page.evaluate("""() => new Promise((told) => {
        const seen = [];
        document.addEventListener("securitypolicyviolation", (event) => {
            seen.push(event.effectiveDirective);
            if (seen.length === 3) told(seen.sort());
        });
        const evil = document.createElement("div");
        evil.innerHTML = "<img src=x onerror='document.title = 1'>";
        document.body.append(evil);
        document.body.append(Object.assign(document.createElement("script"), {textContent: "document.title = 2"}));
        setTimeout(() => told(seen), 2000);
    })""")
    assert blocked == ["img-src", "script-src-attr", "script-src-elem"], blocked
    assert page.title().startswith("Image coverage: ")
    context.close()


def narrow(browser):
    context, page, heard = opened(browser, viewport=NARROW)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= NARROW["width"], width
    page.get_by_label("Filter").fill("dead")
    # Waited for without `eval`, which the page's policy forbids.
    page.locator("#count", has_text=" of ").wait_for()
    page.screenshot(path=f"{FOLDER}/narrow.png")
    assert heard == [], heard
    context.close()


def of_clusters(browser):
    context, page, heard = opened(browser, viewport=WIDE)
    page.get_by_label("Group by").select_option("cluster")
    groups = [group.split("  ")[0].strip() for group in page.locator("tr.group").all_inner_texts()]
    assert any("clusters/prod" in group for group in groups), groups
    assert any("no cluster" in group for group in groups), groups
    page.screenshot(path=f"{FOLDER}/by-cluster.png")
    widths = page.locator("thead th").evaluate_all("heads => heads.map((head) => head.clientWidth)")
    assert min(widths) >= 100, widths
    assert heard == [], heard
    context.close()


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    print("Chromium", browser.version)
    if KIND == "clusters":
        of_clusters(browser)
    else:
        for scheme in ["light", "dark"]:
            with_script(browser, scheme)
            without_script(browser, scheme)
        narrow(browser)
    browser.close()
