"""pgjdbc, in a Java machine inside this process."""

import jpype

from lines import TIMEOUT_S, serve

JARS = ["/usr/share/java/org.jpype.jar", "/usr/share/java/postgresql.jar"]
NAMES = {"user": "user", "password": "password", "mode": "sslmode", "ca": "sslrootcert",
         "cert": "sslcert", "der_key": "sslkey"}
LATER = {"direct": "sslNegotiation", "bound": "channelBinding"}  # names that not all versions have
WANTED = {"direct": "direct", "bound": "require"}

jpype.startJVM("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m",
               classpath=JARS, convertStrings=True)
DRIVER = jpype.JClass("org.postgresql.Driver")()


def properties(wish):
    found = jpype.JClass("java.util.Properties")()
    for ours, theirs in NAMES.items():
        if wish[ours] is not None:
            found.setProperty(theirs, wish[ours])
    for ours, theirs in LATER.items():
        if wish[ours]:
            found.setProperty(theirs, WANTED[ours])
    for name in ("loginTimeout", "socketTimeout"):
        found.setProperty(name, str(TIMEOUT_S))
    return found


def field(thing, name):
    """A field that is its own affair, also of those that it inherits."""
    kind = thing.getClass()
    while name not in [one.getName() for one in kind.getDeclaredFields()]:
        kind = kind.getSuperclass()
    found = kind.getDeclaredField(name)
    found.setAccessible(True)
    return found.get(thing)


def is_encrypted(link):
    socket = field(link.getQueryExecutor(), "pgStream").getSocket()
    return isinstance(socket, jpype.JClass("javax.net.ssl.SSLSocket"))


def connect(wish):
    link = DRIVER.connect(f"jdbc:postgresql://{wish['host']}:{wish['port']}/{wish['database']}",
                          properties(wish))
    try:
        rows = link.createStatement().executeQuery(wish["sql"])
        rows.next()
        return {"found": str(rows.getString(1)), "tls": is_encrypted(link)}
    finally:
        link.close()


def told(wish):
    """With the causes of what was thrown: the last says most."""
    try:
        return connect(wish)
    except jpype.JException as thrown:
        texts = []
        while thrown is not None:
            texts.append(str(thrown.toString()))
            thrown = thrown.getCause()
        return {"refused": " / ".join(texts)}


KNOWN = jpype.JClass("org.postgresql.PGProperty")
serve(told, str(jpype.JClass("org.postgresql.util.DriverInfo").DRIVER_VERSION),
      [ours for ours, theirs in LATER.items() if KNOWN.forName(theirs) is None])
