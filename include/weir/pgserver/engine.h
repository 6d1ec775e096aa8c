// A server that lives inside weir and speaks the PostgreSQL protocol over streams: a SQLite
// database, the console. Owned by app. serve() is called on the loop's thread that the stream is
// on; everything of that connection stays there, and ends when the stream ends. The engine is
// destroyed when all loops have stopped and before they are destroyed; it joins its threads then.
#pragma once

#include <memory>

#include <weir/net/loop.h>
#include <weir/net/stream.h>

namespace weir::engine {

class Engine {
 public:
  virtual ~Engine() = default;
  virtual void serve(net::Loop& loop, std::unique_ptr<net::Stream> stream) = 0;
};

}  // namespace weir::engine
