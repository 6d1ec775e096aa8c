// COPY … FROM STDIN: the client's data on its way to the executor (PostgreSQL's manual, 55.2.6).
#include "connection.h"

namespace weir::pgserver {

void Connection::begin_copy() {
  running_->copying = true;
  const size_t columns = running_->bound->portal.copy_columns;
  postgres::MessageBuilder message(out_, 'G');
  message.int8(0).int16(static_cast<uint16_t>(columns));
  for (size_t i = 0; i < columns; ++i) message.int16(0);
}

// True when the message has been dealt with.
bool Connection::on_copy_message(char type, base::Bytes body) {
  const bool data = type == 'd' || type == 'c' || type == 'f';
  // What a client still sends after its COPY has failed is ignored.
  if (!running_ || !running_->copying) return data;
  Portal& portal = running_->bound->portal;
  switch (type) {
    case 'd': call(After::Feed, executor_->feed(portal, body, false)); return true;
    case 'c': call(After::Feed, executor_->feed(portal, {}, true)); return true;
    case 'f': {
      postgres::BodyReader in(body);
      fail("57014", "COPY from stdin failed: " + std::string(in.text()));
      return true;
    }
    case 'H':
    case 'S': return true;
    case 'X': return false;
    default: {
      const Failure fatal{"08P01", "unexpected message type during COPY from stdin"};
      end(&fatal);
      return true;
    }
  }
}

void Connection::after_feed(Answer answer) {
  if (answer == Answer::Failed) return fail(executor_->failure());
  if (answer != Answer::Done) return;
  running_->bound->done = true;
  const std::string tag = std::move(running_->bound->portal.tag);
  running_->bound->portal.kept.reset();
  complete(tag);
}

}  // namespace weir::pgserver
