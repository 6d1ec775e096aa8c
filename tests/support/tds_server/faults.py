"""What a test can order to go wrong. Each order is for the next `times` occasions, of connections
whose login and application are as said, if that is said:

    slow            the reply waits `seconds` first; an attention ends the wait
    hang            the reply never comes; an attention is answered
    deaf            attentions are not acknowledged
    cut             the connection ends after `bytes` of the reply's tokens (0: before them)
    leave_out       the ENVCHANGE of type `change` is not sent
    unknown_token   a token of type 0x42 comes before the first token of the reply
    refuse_reset    a reset bit is answered with error 18056 and the end of the connection
    silent_reset    the reset is done, its ENVCHANGE 18 is not sent (the same as leave_out 18)
    hang_login      LOGIN7 is not answered until the orders are cleared
    refuse_login    the login fails with error `number`
    route           the login's reply sends the client to `host`:`port`"""

WHAT = ("slow", "hang", "deaf", "cut", "leave_out", "unknown_token", "refuse_reset", "silent_reset",
        "hang_login", "refuse_login", "route")


class Order:
    def __init__(self, what, times=1, login=None, app=None, **details):
        if what not in WHAT:
            raise ValueError(f"no fault {what!r}; there are {', '.join(WHAT)}")
        self.what, self.left, self.login, self.app = what, times, login, app
        self.details = details

    def fits(self, what, texts):
        return (self.what == what and self.left > 0 and self.login in (None, texts["user"])
                and self.app in (None, texts["app"]))


class Orders:
    """Of the whole server."""

    def __init__(self):
        self.orders = []

    def add(self, **order):
        self.orders.append(Order(**order))

    def clear(self):
        self.orders = []

    def peek(self, what, texts):
        return next((one for one in self.orders if one.fits(what, texts)), None)

    def take(self, what, texts):
        """The details of an order that applies now, or None."""
        found = self.peek(what, texts)
        if found is None:
            return None
        found.left -= 1
        return found.details


class Faults:
    """The orders as one connection sees them."""

    def __init__(self, orders, texts):
        self.orders, self.texts = orders, texts

    def take(self, what):
        return self.orders.take(what, self.texts)

    def waits(self, what):
        return self.orders.peek(what, self.texts) is not None

    def leaves_out(self, change):
        if change == 18 and self.take("silent_reset") is not None:
            return True
        found = self.orders.peek("leave_out", self.texts)
        if found is None or found.details.get("change") != change:
            return False
        found.left -= 1
        return True
