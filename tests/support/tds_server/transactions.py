"""Transaction manager requests (MS-TDS 2.2.6.9)."""

from . import reply as r
from .errors import error
from .requests import TM_BEGIN, TM_COMMIT, TM_DISTRIBUTED, TM_ROLLBACK

BEGIN, COMMIT, ROLLBACK, SAVE = 0xD4, 0xD5, 0xD2, 0xD6
SERIALIZED = (3, 4)


class Manager:
    """Babelfish makes statements of these requests and says a DONE for each."""

    def __init__(self, executor):
        self.executor, self.state = executor, executor.state
        self.reply = executor.reply

    async def run(self, request):
        await self.executor.once(lambda: self._run(request))

    async def _run(self, request):
        if request.kind == TM_BEGIN:
            self.begin(request)
            self._done(BEGIN)
        elif request.kind == TM_COMMIT:
            self.commit(request)
        elif request.kind == TM_ROLLBACK:
            self.rollback(request)
        elif request.kind in TM_DISTRIBUTED:
            raise error(8501, self.executor.house.name)
        else:
            self.state.save(request.name)
            self._statement()
            self._done(SAVE)

    def _done(self, command):
        self.reply.done(r.DONE, 0, command)

    def _statement(self):
        if self.state.babelfish:
            self.reply.done(r.DONE, 0, 2)

    def begin(self, request):
        if request.isolation:
            if self.state.babelfish and request.isolation in SERIALIZED:
                self.reply.transaction(r.ENV_ROLLBACK, 0)
                raise error(40000, "this isolation level")
            self.state.isolation = request.isolation
            self._statement()
        descriptor = self.state.begin(request.name)
        self._statement()
        self.reply.transaction(r.ENV_BEGIN, descriptor)

    def commit(self, request):
        descriptor = self.state.commit()
        self._statement()
        self.reply.transaction(r.ENV_COMMIT, descriptor)
        self._next(request, COMMIT)

    def rollback(self, request):
        transaction = self.state.transaction
        if transaction is None:
            if self.state.babelfish:
                self.reply.transaction(r.ENV_ROLLBACK, 0)
            raise error(3903)
        if request.name and request.name.lower() != transaction.name.lower():
            self.state.rollback_to(request.name)
            self._done(ROLLBACK)
            return
        descriptor = self.state.rollback()
        self._statement()
        self.reply.transaction(r.ENV_ROLLBACK, descriptor)
        self._next(request, ROLLBACK)

    def _next(self, request, command):
        """Commit, or roll back, and begin: ENVCHANGE 9 or 10, then 8, in one reply."""
        if request.then_begin:
            self.begin(request)
        self._done(command)
