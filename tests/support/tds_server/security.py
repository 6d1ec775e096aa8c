"""EXECUTE AS, REVERT and application roles: who a connection says it is. Nothing is forbidden to
anybody here; what matters is that such a connection cannot be reset (error 18059)."""

import secrets

from . import values
from .errors import SqlError, error
from .values import Value


class Security:
    async def execute_as(self, node):
        name = self.text(node.name) if node.name is not None else self.state.user
        if node.kind != "CALLER" and not self.house.knows(name):
            raise error(15517, name)
        cookie = secrets.token_bytes(50) if node.cookie else None
        self.state.security.append(("EXECUTE AS", name, node.no_revert, cookie))
        if cookie:
            self.assign_variable(node.cookie, Value(values.SqlType("varbinary", 100), cookie))
        self.done_quietly()

    async def revert(self, node):
        if self.state.security and self.state.security[-1][0] == "EXECUTE AS":
            _, _, no_revert, cookie = self.state.security[-1]
            given = self.value(node.cookie).data if node.cookie is not None else None
            if no_revert or cookie != given:
                raise SqlError(15589, "Cannot revert the current security context because the "
                                      "cookie is invalid.")
            self.state.security.pop()
        self.done_quietly()

    def set_role(self, role, password):
        """The cookie of sp_unsetapprole."""
        if self.state.depth > 1:
            raise error(15422)
        if self.house.roles.get(role) != password:
            raise SqlError(15151, f"Cannot find the application role '{role}', because it does "
                                  "not exist or you do not have permission.")
        cookie = secrets.token_bytes(50)
        self.state.security.append(("ROLE", role, False, cookie))
        return cookie

    def unset_role(self, cookie):
        last = self.state.security[-1] if self.state.security else None
        if last is None or last[0] != "ROLE" or last[3] != cookie:
            raise SqlError(15589, "Cannot revert the current security context because the cookie "
                                  "is invalid.")
        self.state.security.pop()
