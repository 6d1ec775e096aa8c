"""One connection, from its first byte to its last."""

import asyncio
import ssl
import sys
import time

from . import reply as r
from .batches import Executor
from .errors import AttentionSeen, EndConnection, SqlError, error
from .greeting import Greeting
from .packets import (ATTENTION, BATCH, BULK, RESET_SKIP_TRANSACTION, RPC,
                      TRANSACTION, V72, V73A, Assembly, Gone, Header, Message, Violation,
                      at_least)
from .requests import all_headers, read_bulk, read_calls, read_manager
from .transactions import Manager
from .typeinfo import Reader
from .wire import Wire


class Session(Greeting):
    def __init__(self, house, reader, writer):
        self.house, self.wire = house, Wire(reader, writer)
        self.state = self.reply = self.faults = None
        self.busy, self.queue = False, asyncio.Queue()
        self.attentions = self.acknowledged = self.requests = 0
        self.kinds = {}
        self.encryption = "none"
        self.born, self.why = time.time(), ""
        self.worker = None
        self.peer = writer.get_extra_info("peername")

    # --- the whole of it --------------------------------------------------------------------

    async def run(self):
        try:
            if await self.greet():
                await self.serve()
        except Gone:
            self.why = self.why or "the client closed"
        except Violation as wrong:
            self.judge(wrong)
        except EndConnection as end:
            self.why = str(end)
        except (ConnectionError, ssl.SSLError, asyncio.TimeoutError) as problem:
            self.why = f"{type(problem).__name__}: {problem}"
        except asyncio.CancelledError:
            self.why = self.why or "killed"
        finally:
            await self.end()

    async def end(self):
        if self.worker:
            self.worker.cancel()
            await asyncio.gather(self.worker, return_exceptions=True)
        if self.state:
            self.state.clear()
        self.house.forget(self)
        self.wire.close()

    def judge(self, wrong):
        """The client sent what SQL Server would not accept."""
        self.why = f"violation: {wrong}"
        name = self.state.user if self.state else "before login"
        self.house.violations.append({"spid": self.state.spid if self.state else 0, "login": name,
                                      "text": str(wrong)})
        print(f"violation: {name} {self.peer}: {wrong}", file=sys.stderr, flush=True)
        if wrong.number and self.state:
            said = error(wrong.number, str(wrong))
            reply = r.Reply(self.wire, self.state.login.version, self.state, self.faults)
            reply.error(said)
            reply.done(r.DONE, r.FAILED, r.NO_COMMAND)
            reply.finish()

    # --- requests ---------------------------------------------------------------------------

    async def serve(self):
        self.worker = asyncio.ensure_future(self._work())
        reading = asyncio.ensure_future(self._read())
        try:
            done, _ = await asyncio.wait([self.worker, reading],
                                         return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self):
        while True:
            message = await self._message()
            self.kinds[message.kind] = self.kinds.get(message.kind, 0) + 1
            if message.kind == ATTENTION:
                self._attention()
                continue
            if message.kind not in (BATCH, RPC, TRANSACTION, BULK):
                raise Violation(f"a message of type {message.kind} after the login")
            if message.reset == RESET_SKIP_TRANSACTION and not at_least(
                    self.state.login.version, V73A):
                raise Violation("RESETCONNECTIONSKIPTRAN before TDS 7.3")
            self.busy = True
            self.requests += 1
            self.queue.put_nowait(message)

    async def _message(self):
        """A message; its first packet must not come before the last reply has ended."""
        assembly = Assembly(self.wire.packet_size, self.wire.exact)
        while True:
            header = Header(await self.wire.exactly(8))
            if self.busy and header.kind != ATTENTION and not self.house.babelfish:
                raise Violation(f"a message of type {header.kind} before the reply's end")
            assembly.check(header)
            try:
                body = await self.wire.exactly(header.size - 8) if header.size > 8 else b""
            except Gone:
                raise Violation("the connection ends in the middle of a packet") from None
            if assembly.add(header, body):
                return Message(assembly)

    def _attention(self):
        self.attentions += 1
        if self.attentions > self.acknowledged + 1:
            raise Violation("a second attention before the first is acknowledged")
        if self.busy:
            self.state.attention.set()
        elif self.faults.take("deaf") is None:
            self.state.bulk = None
            self._acknowledge()
            self.reply.finish()

    def _acknowledge(self):
        self.acknowledged += 1
        self.state.attention.clear()
        self.reply.done(r.DONE, r.ATTENTION, r.NO_COMMAND)

    async def _work(self):
        while True:
            message = await self.queue.get()
            self.reply = r.Reply(self.wire, self.state.login.version, self.state, self.faults)
            ending = None
            try:
                await self._misbehave()
                await self._answer(message)
            except AttentionSeen:
                self._stopped()
            except EndConnection as end:
                ending = end
            await self._finish()
            if ending:
                await self.wire.drain()
                raise ending

    async def _finish(self):
        """The reply's end, and the acknowledgement of an attention that has come meanwhile."""
        cut = self.faults.take("cut")
        if cut is not None:
            await self._cut(cut.get("bytes", 0))
        attention = self.state.attention.is_set()
        if attention and self.faults.take("deaf") is not None:
            attention = False
            self.state.attention.clear()
        together = attention and self.house.attention_with_reply
        if together:
            self._acknowledge()
        self.busy = not self.queue.empty()
        self.reply.finish()
        if attention and not together:
            # tedious and Microsoft's JDBC driver wait for a message of its own.
            self._acknowledge()
            self.reply.finish()

    def _stopped(self):
        """An attention has ended the request: what is open stays open, but with XACT_ABORT."""
        if self.state.options["XACT_ABORT"] and self.state.transaction:
            self.reply.transaction(r.ENV_ROLLBACK, self.state.rollback())
        self.reply.held = None
        if not self.house.attention_with_reply:
            self.reply.done(r.DONE, r.FAILED, r.NO_COMMAND)

    async def _misbehave(self):
        slow = self.faults.take("slow")
        if slow is not None:
            await self.state.wait_until(None, slow.get("seconds", 1))
        if self.faults.take("hang") is not None:
            await self.state.wait_until(asyncio.Event())
        if self.faults.take("unknown_token") is not None:
            self.reply.put(b"\x42\x01\x00\x00")

    async def _cut(self, size):
        self.reply.flush_done(0)
        part = bytes(self.reply.buffer[:size])
        if part:
            self.wire.send_packet(part, False)
            await self.wire.drain()
        raise EndConnection("cut, as ordered")

    async def _answer(self, message):
        if message.ignored and not self.house.babelfish:
            # Thrown away by the client; a reply is due all the same. Babelfish executes it.
            self.reply.done(r.DONE, r.FAILED, r.NO_COMMAND)
            return
        reader = Reader(message.payload)
        descriptor = None
        if at_least(self.state.login.version, V72) and message.kind != BULK:
            descriptor = all_headers(reader)
        if message.reset and not await self._reset(message.reset == RESET_SKIP_TRANSACTION):
            return
        self._check_descriptor(descriptor, message.reset)
        executor = Executor(self, self.reply)
        await self._dispatch(message.kind, reader, executor)

    def _check_descriptor(self, descriptor, reset):
        if descriptor is None or self.house.babelfish:
            return
        mine = self.state.transaction.descriptor if self.state.transaction else 0
        # With the reset bit the client may still name the transaction that the reset has ended.
        if descriptor != mine and not (reset and mine == 0):
            raise Violation(f"transaction descriptor {descriptor:#x}, open is {mine:#x}", 3989)

    async def _reset(self, keep_transaction):
        if self.house.babelfish and keep_transaction:
            self.reply.error(SqlError(33557097, "RESETCONSKIPTRAN is not supported"))
            self.reply.done(r.DONE, r.FAILED, 2)
            return False
        if self.faults.take("refuse_reset") is not None:
            self.reply.error(error(18056, self.state.spid))
            self.reply.done(r.DONE, r.FAILED | r.SERVER_ERROR, r.NO_COMMAND)
            raise EndConnection("reset refused, as ordered")
        try:
            self.state.reset(keep_transaction)
        except SqlError as wrong:
            self.reply.error(wrong)
            self.reply.done(r.DONE, r.FAILED | r.SERVER_ERROR, r.NO_COMMAND)
            raise EndConnection(f"error {wrong.number}") from None
        self.reply.env_bytes(r.ENV_RESET, b"", b"")
        return True

    async def _dispatch(self, kind, reader, executor):
        version = self.state.login.version
        if self.state.bulk is not None and kind != BULK:
            self.state.bulk = None
            self.reply.error(error(4022))
            self.reply.done(r.DONE, r.FAILED, r.NO_COMMAND)
        elif kind == BATCH:
            text = reader.data[reader.at:]
            if len(text) % 2:
                raise Violation("a batch of an odd number of bytes")
            await executor.batch(text.decode("utf-16-le", "surrogatepass"))
        elif kind == RPC:
            try:
                calls = read_calls(reader, version)
            except SqlError as wrong:
                executor.report(wrong)
                return
            for call in calls:
                await executor.procedures.from_rpc(call)
            executor.end_of_batch()
        elif kind == TRANSACTION:
            await Manager(executor).run(read_manager(reader))
        else:
            await self._bulk(reader, executor)

    async def _bulk(self, reader, executor):
        if self.state.bulk is None:
            raise Violation("bulk data without INSERT BULK")
        names, kinds, rows = read_bulk(reader.data, self.state.login.version)

        async def load():
            await executor.bulk_rows(names, kinds, rows)
        if await executor.once(load):
            self.reply.done(r.DONE, r.COUNT, 0xF0, len(rows))
