"""Views: what people read of a result, in the same words wherever they read it.

Facts come from studies; a view puts them on a page; a renderer shows the page. So a fact is put
into words once, and the terminal, the report, a pull request, a test's failure and a notebook all
say it alike.

    page.py        what a page is made of: Table, Cell, Note, Listing, Section, Command
    facts.py       cells and tables of facts that several studies share: a latency, an objective
    run.py, …      one module a study: `page(result)` is all of it, `brief(result)` a short one
    terminal.py    renders a page with rich; `text(page, width)` is plain text
    html.py, markdown.py, junit.py, notebook.py

How figures and names are written stands in `cascadesim.values.words`, as studies need it, too.

How to write a page
-------------------
1. Ask the study for facts by its public attributes. Compute nothing here, and write no figure by
   hand: take `words.number`, `words.mean(measure, interval)`, or a cell of `facts`.
2. Put them into blocks. `table(title, columns, rows)` is None without rows, and `blocks(…)` leaves
   out what is None, so that there is no `if`. Texts are ours; what a user wrote is a
   `name(text)`, a `setting(path)` or a `Cell(text, kind="value")`, in a sentence, too:
   `Note(("To blame: ", setting(path), "."))`. Never escape, wrap, cut or colour: renderers do.
3. Return a `Page(title, blocks, severity)`. The terminal prints all of it, 80 columns wide; HTML
   and Markdown fold each `Section` that says so.

    def page(gate: Gate) -> Page:
        rows = [(objective(judged), judged_value(judged), met(judged.met)) for … in gate.judged]
        columns = ("objective", "value", left("met"))
        return Page("2 objectives met", blocks(table("Objectives", columns, rows)), "good")

A page knows no renderer and a renderer no study.
"""
