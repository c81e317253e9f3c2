"""The commands that have a model answer benchmarks, score its answers and compare scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from packkit.cli.app import JsonOption, NewTokensOption, ReplyTokensOption

eval_app = typer.Typer(
    help="Have a model answer medical benchmarks, and score its answers.", no_args_is_help=True
)

ResultsFolder = Annotated[
    Path, typer.Argument(metavar="RESULTS", help="Folder that eval run filled.")
]
_SCORED = "Scored results: FOLDER, one of its scores/NAME.json, or LABEL= and either."
Scored = Annotated[list[str], typer.Argument(metavar="RESULTS", help=_SCORED)]
SideA = Annotated[str, typer.Argument(metavar="A", help=_SCORED)]
SideB = Annotated[str, typer.Argument(metavar="B", help=_SCORED)]
Scoring = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which scores, as strict or medevalkit+JUDGE, where a folder has several.",
    ),
]


@eval_app.command("run")
def run_command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Run, checkpoint, folder or hub id; with --base-url the name of a model there.",
        ),
    ],
    benchmark: Annotated[
        list[str],
        typer.Option(metavar="NAME=PATH", help="Benchmark, and its local copy; may be repeated."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of results; name it again to continue a run.")],
    base_url: Annotated[
        str | None,
        typer.Option(
            help="OpenAI-compatible endpoint that answers, as http://localhost:8000/v1. "
            "The key is that of OPENAI_API_KEY."
        ),
    ] = None,
    backend: Annotated[
        Literal["auto", "packkit", "transformers", "endpoint"],
        typer.Option(help="What runs the model; auto tells it from MODEL and --base-url."),
    ] = "auto",
    max_new_tokens: NewTokensOption = 1024,
    batch_size: Annotated[
        int | None, typer.Option(help="Answers at once, of a local model (default: 8).")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(help="Requests at once, to an endpoint (default: 16).")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where a local model runs.")
    ] = "auto",
    json: JsonOption = False,
) -> None:
    """Have a model answer benchmarks, greedily; run it again to continue after a kill."""
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.evaluation_printing import answering, show_run
    from packkit.infimed.evaluation.answering import open_answerer
    from packkit.infimed.evaluation.run import parse_benchmarks, run_benchmarks

    benchmarks = parse_benchmarks(benchmark)
    with answering() as on_progress:
        answerer = open_answerer(
            model,
            backend=backend,
            base_url=base_url,
            max_new_tokens=max_new_tokens,
            device=device,
            batch_size=batch_size,
            concurrency=concurrency,
        )
        report = run_benchmarks(answerer, benchmarks, out, on_progress=on_progress)
    print_json(report.to_dict()) if json else show_run(report)
    if report.failed:
        raise typer.Exit(1)


@eval_app.command("score")
def score_command(
    results: ResultsFolder,
    scorer: Annotated[
        Literal["strict", "medevalkit"], typer.Option(help="Rules: see docs/evaluation.md.")
    ] = "strict",
    seed: Annotated[int, typer.Option(help="Seed of what medevalkit draws at random.")] = 0,
    judge: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Decides on open questions (default: the rules do)."),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            help="OpenAI-compatible endpoint of the judge "
            "(default: OPENAI_BASE_URL, else OpenAI's own). The key is that of OPENAI_API_KEY."
        ),
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at the same time.")] = 8,
    max_tokens: ReplyTokensOption = 4096,
    max_requests: Annotated[
        int | None, typer.Option(help="Requests from this folder, earlier ones included.")
    ] = None,
    max_judge_failures: Annotated[
        float, typer.Option(help="Share of judged answers that may lack a verdict.")
    ] = 0.01,
    json: JsonOption = False,
) -> None:
    """Score saved answers; the model is not needed, nor the judge for what it has judged."""
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.evaluation_printing import judging, show_scores
    from packkit.infimed.evaluation.results import Results
    from packkit.infimed.evaluation.scoring import ScoreConfig
    from packkit.infimed.evaluation.scoring import score as score_results

    config = ScoreConfig(
        scorer=scorer,
        seed=seed,
        judge=judge,
        base_url=base_url,
        concurrency=concurrency,
        max_tokens=max_tokens,
        max_requests=max_requests,
        max_judge_failures=max_judge_failures,
    )
    with judging() as on_progress:
        scores = score_results(Results(results), config, on_progress=on_progress)
    print_json(scores.to_dict()) if json else show_scores(scores)


@eval_app.command("table")
def table_command(
    results: Scored,
    scoring: Scoring = None,
    markdown: Annotated[Path | None, typer.Option(help="Markdown to write.")] = None,
    csv: Annotated[Path | None, typer.Option(help="CSV to write, one line for each cell.")] = None,
    png: Annotated[Path | None, typer.Option(help="Bar chart to write.")] = None,
    json: JsonOption = False,
) -> None:
    """Put scored results side by side: models, or the stages of one."""
    from packkit.base.files import write_atomically
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.evaluation_printing import show_results
    from packkit.infimed.evaluation.figure import plot_table
    from packkit.infimed.evaluation.scored_results import open_all
    from packkit.infimed.evaluation.tables import Table

    table = Table(open_all(results, scoring))
    for path, text in ((markdown, table.to_markdown()), (csv, table.to_csv())):
        if path is not None:
            write_atomically(path, text.encode())
    if png is not None:
        plot_table(table, png)
    print_json(table.to_dict()) if json else show_results(table)


@eval_app.command("compare")
def compare_command(
    a: SideA,
    b: SideB,
    scoring: Scoring = None,
    samples: Annotated[int, typer.Option(help="Number of resamples.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 0,
    json: JsonOption = False,
) -> None:
    """Say whether A beats B on the same questions, by a paired bootstrap."""
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.evaluation_printing import show_comparison
    from packkit.infimed.evaluation.comparison import compare as compare_results
    from packkit.infimed.evaluation.scored_results import open_all

    first, second = open_all((a, b), scoring)
    comparison = compare_results(first, second, samples=samples, seed=seed)
    print_json(comparison.to_dict()) if json else show_comparison(comparison)


@eval_app.command("cases")
def cases_command(
    a: SideA,
    b: SideB,
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("cases.html"),
    scoring: Scoring = None,
    who: Annotated[
        Literal["all", "a", "b", "both", "neither"],
        typer.Option(help="Show cases where this one is right."),
    ] = "all",
    sample: Annotated[int, typer.Option(min=1, help="Cases on the page.")] = 50,
    seed: Annotated[int, typer.Option(help="Seed that decides which are drawn.")] = 0,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=PATH]",
            help="Only cases of this benchmark, whose copy is now in PATH; may be repeated.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a page with images, questions, both answers and both verdicts."""
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.evaluation_printing import show_cases
    from packkit.infimed.evaluation.cases import CasesConfig, write_cases
    from packkit.infimed.evaluation.scored_results import open_all

    named = [spec.partition("=") for spec in benchmark or ()]
    config = CasesConfig(
        cases=sample,
        seed=seed,
        who=who,
        benchmarks=[name for name, _, _ in named],
        folders={name: Path(path) for name, _, path in named if path},
    )
    first, second = open_all((a, b), scoring)
    report = write_cases(first, second, out, config)
    print_json(report.to_dict()) if json else show_cases(report)
