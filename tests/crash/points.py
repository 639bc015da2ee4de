"""The places at which `doomed` can kill itself, and the crash points that they stand for.

C1 to C16 go through the life of a run from its plan to its last file; that it goes on after each of them is the promise.
"""

from __future__ import annotations

#: place -> the crash point that it stands for, and what is on disk and on its way at that moment
POINTS = {
    "stage.inside": ("C1", "a chunk of the plan staged, not committed"),
    "finish_plan.before": ("C1", "all chunks staged, the plan not yet sendable"),
    "finish_plan.inside": ("C1", "the plan made sendable, not committed"),
    "finish_plan.committed": ("C2", "the plan committed, nothing sent"),
    "intent.inside": ("C3", "intents written, not committed"),
    "intent.syncing": ("C4", "the commit of intents under way"),
    "intent.committed": ("C4", "intents committed, the program not told"),
    "create.before": ("C5", "intent durable, nothing on the wire"),
    "create.half_sent": ("C6", "half of the body sent"),
    "create.sent": ("C7", "body sent, the server working"),
    "create.arriving": ("C8", "the first bytes of the answer here, not understood"),
    "create.answered": ("C9", "the answer understood, not recorded"),
    "outcome.before": ("C9", "the outcomes' transaction not begun"),
    "outcome.row": ("C10", "in the midst of the rows of the outcomes' transaction"),
    "outcome.inside": ("C10", "all outcomes written, not committed"),
    "outcome.syncing": ("C10", "the commit of outcomes under way"),
    "outcome.committed": ("C11", "outcomes committed, nothing in the run's files"),
    "report.begin": ("C11", "all outcomes durable, no file of the run written"),
    "report.unrenamed": ("C11", "a file of the run written under its temporary name"),
    "report.renamed": ("C16", "a file of the run in its place, the run not ended"),
    "begin_run.inside": ("C12", "what was in flight made unknown, not committed"),
    "begin_run.committed": ("C12", "what was in flight made unknown, nothing read back"),
    "settle.waiting": ("C13", "in the settle wait"),
    "find.half": ("C15", "some of a read-back's requests answered, others not sent"),
    "settle_rows.before": ("C14", "read back, nothing stored"),
    "settle_rows.inside": ("C14", "what the read-back showed written, not committed"),
    "settle_rows.committed": ("C14", "what the read-back showed committed, the program not told"),
    "end_run.inside": ("C16", "the run's end written, not committed"),
    "closing": ("C16", "the file closed: SQLite carries its log over"),
}
#: places that are passed only when an earlier life left something in doubt
RECOVERY = ("begin_run.inside", "begin_run.committed", "settle.waiting", "find.half", "settle_rows.before",
            "settle_rows.inside", "settle_rows.committed")  # fmt: skip
