"""What happens before the first request: PRELOGIN, TLS, LOGIN7 and the reply to it."""

import asyncio

from . import login as logins
from . import options, prelogin
from . import reply as r
from .errors import EndConnection, SqlError, error
from .faults import Faults
from .packets import LOGIN7, PRELOGIN, V73A, V74, V80, Gone, Violation, at_least
from .state import State
from .typeinfo import COLLATION

TLS_HELLO = 0x16
EXACT_FROM = V73A  # packets but the last are full
SPOKEN_IN_PACKETS = [one for one in logins.VERSIONS if one != V80]  # strict: tedious says 7.4


class Greeting:
    """A part of Session."""

    async def greet(self):
        """True after a login."""
        first = await self.wire.first_byte()
        strict = first == TLS_HELLO
        if strict:
            await self._begin_strict()
        elif self.house.encrypt == "strict":
            raise Violation(f"the first byte is {first:#x}, not TLS")
        message = await self.wire.message()
        if message.kind == PRELOGIN:
            await self._answer_prelogin(message, strict)
            message = await self.wire.message()
        elif self.house.encrypt in ("required", "strict") and not strict:
            raise Violation("LOGIN7 without encryption")
        if message.kind != LOGIN7:
            raise Violation(f"a message of type {message.kind} where LOGIN7 should be")
        login = logins.parse(message.payload)
        if login.version not in ((V74, V80) if strict else SPOKEN_IN_PACKETS):
            raise Violation(f"TDS version {login.version:#x} where strict is {strict}")
        if self.encryption == "login":
            self.wire.end_tls()
        return await self.admit(login)

    async def _begin_strict(self):
        if self.house.babelfish:
            raise EndConnection("Babelfish hangs up on TDS 8.0")
        if self.house.encrypt == "off":
            raise Violation("TLS where no encryption is offered")
        await self.wire.begin_tls(self.house.tls_context(strict=True), False)
        if self.wire.tls.selected_alpn_protocol() != "tds/8.0":
            raise Violation("TLS without ALPN tds/8.0")
        self.encryption = "strict"

    async def _answer_prelogin(self, message, strict):
        asked = prelogin.parse(message.payload)
        mode = "off" if strict else self.house.encrypt
        if strict:
            asked[prelogin.ENCRYPTION] = bytes([prelogin.NOT_SUPPORTED])
        answers, outcome = prelogin.answer(asked, mode, self.house.release)
        self.wire.send_message(prelogin.build(answers))
        if strict or outcome == "none":
            return
        if outcome == "refused":  # the client has to go
            message = await self.wire.message()
            raise Violation("the client goes on although encryption was refused")
        await self.wire.begin_tls(self.house.tls_context(strict=False), True)
        self.encryption = outcome

    async def admit(self, login):
        texts = login.texts
        self.faults = Faults(self.house.orders, texts)
        while self.faults.waits("hang_login"):
            await asyncio.sleep(0.02)
            if self.wire.reader.at_eof():
                raise Gone
        self.state = State(self.house, self.house.spids.take(), login)
        self.wire.spid = 0 if self.house.babelfish else self.state.spid
        self.reply = r.Reply(self.wire, login.version, self.state, self.faults)
        refused = self._refusal(login)
        if refused:
            for wrong in refused:
                self.reply.error(wrong)
            self.reply.done(r.DONE, r.FAILED, 0)
            self.reply.finish()
            await self.wire.drain()
            raise EndConnection(f"login failed: {refused[0].number}")
        self._welcome(login)
        return True

    def _refusal(self, login):
        """The errors of a login that fails, or None."""
        texts, name = login.texts, login.texts["user"]
        ordered = self.faults.take("refuse_login")
        failed = error(18456, name)
        if ordered is not None:
            return [SqlError(ordered.get("number", 18456), f"Login failed for user '{name}'.", 14)]
        if self.house.users.get(name) != texts["password"]:
            return [failed]
        wanted = texts["database"]
        if wanted and wanted.lower() not in self.house.storage.databases:
            if self.house.babelfish:
                return [SqlError(911, f'database "{wanted}" does not exist')]
            return [error(4060, wanted), failed]
        try:
            options.language(texts["language"] or "us_english")
        except SqlError as unknown:
            return [unknown, failed]
        return None

    def _welcome(self, login):
        state, texts, babelfish = self.state, login.texts, self.house.babelfish
        state.database = self.house.storage.database(texts["database"] or "master").name
        language = texts["language"]
        if language:
            state.language = options.language(language)[0]
            state.options["DATEFIRST"], state.options["DATEFORMAT"] = options.language(
                language)[1:]
        state.login_database, state.login_language = state.database, state.language
        self._say_welcome(login, bool(language) or not babelfish)
        self.house.remember(self)

    def _say_welcome(self, login, with_language):
        """MS-TDS 4.3; Babelfish has another order and says less."""
        reply, state, babelfish = self.reply, self.state, self.house.babelfish
        size = min(login.packet_size, self.house.packet_size or login.packet_size)
        size = size // 4 * 4 if babelfish else size
        if babelfish and size != self.wire.packet_size:
            self._say_packet_size(size)
        reply.env_text(r.ENV_DATABASE, state.database, "" if babelfish else "master")
        reply.info(0 if babelfish else 5701,
                   f"Changed database context to '{state.database}'.", 0, 2)
        if not babelfish:
            reply.env_bytes(r.ENV_COLLATION, COLLATION)
        if with_language:
            reply.env_text(r.ENV_LANGUAGE, state.language, "")
            reply.info(5703, f"Changed language setting to {state.language}.",
                       10 if babelfish else 0)
        if babelfish:
            reply.env_bytes(r.ENV_COLLATION, COLLATION)
        route = self.faults.take("route")
        if route:
            reply.put(r.routing(route["host"], route["port"]))
        reply.put(r.loginack(login.version, self.house.program, self.house.release[:4]))
        if logins.UTF8_SUPPORT in login.features and not babelfish:
            reply.put(r.features({logins.UTF8_SUPPORT: b"\x01"}))
        if not babelfish:
            self._say_packet_size(size)
        reply.done(r.DONE, 0, 2 if babelfish else 0)
        reply.finish()
        self.wire.packet_size = size
        self.wire.exact = not babelfish and at_least(login.version, EXACT_FROM)

    def _say_packet_size(self, size):
        self.reply.env_text(r.ENV_PACKET, str(size), str(self.wire.packet_size))
