#include "inquiry.h"

namespace weir::session {

using base::Error;
using base::ErrorKind;

Inquiry::Inquiry(Worker& worker, Backend& backend, uint64_t id, Question question)
    : worker_(worker),
      backend_(backend.shared_from_this()),
      id_(id),
      question_(std::move(question)),
      plan_(backend.plan()),
      timer_(on_deadline, this) {
  worker_.add_holder(id_, *this);
}

// Cut short: the worker ends.
Inquiry::~Inquiry() {
  if (!question_.answered) return;
  backend_->pool().withdraw(waiter_);
  worker_.remove_holder(id_);
}

void Inquiry::begin() {
  waiter_.fair_class = id_;
  constexpr Duration kPatience = 30 * base::kSecond;  // where clients wait without end
  const Duration patience = plan_->acquire_timeout > 0 ? plan_->acquire_timeout : kPatience;
  waiter_.deadline = worker_.now() + patience;
  worker_.loop().timers().set(timer_, waiter_.deadline);
  acquire();
}

void Inquiry::acquire() {
  waiter_.ticket = {worker_.id(), id_, waiter_.ticket.wait + 1};
  auto server = backend_->pool().acquire(waiter_, worker_.now(), worker_.orders());
  if (server)
    return served(std::unique_ptr<PooledServer>(static_cast<PooledServer*>(server.release())));
  worker_.carry_out(*backend_);
}

bool Inquiry::waits_for(const pool::Ticket& ticket) const {
  return question_.answered && !lease_ && ticket.wait == waiter_.ticket.wait;
}

void Inquiry::served(std::unique_ptr<PooledServer> server) {
  if (!server) return acquire();
  if (server->ended || !server->is_alive(worker_.now())) {
    worker_.close(std::move(server), CloseReason::Lost);
    return acquire();
  }
  timer_.drop();
  lease_ = Lease(std::move(server));
  lease_->activity = "active";
  lease_->lent_at = worker_.now();
  auto lookup = backend_->protocol().lookup(question_.text, question_.argument, lease_->state());
  if (!lookup) return finish(Error{ErrorKind::Config, "this protocol has no lookups"});
  lookup_ = lookup.get();
  conversation_ =
      std::make_unique<Conversation>(worker_.loop(), lease_->stream(), std::move(lookup));
  conversation_->begin(plan_->talk_timeout(), [this](base::Status status, const std::string& rest) {
    if (status && !rest.empty()) status = Error{ErrorKind::Protocol, "the server said too much"};
    talked(status);
  });
}

// A question that is refused leaves the server as it was; after anything else it is closed.
void Inquiry::talked(const base::Status& status) {
  const bool is_usable = status || status.error().kind == ErrorKind::Refused;
  Answer answer = status ? Answer(std::move(lookup_->rows)) : Answer(status.error());
  if (is_usable)
    worker_.release(lease_.take());
  else
    worker_.close(lease_.take(), CloseReason::Broken);
  finish(std::move(answer));
}

void Inquiry::wait_failed(const Error& why) { finish(why); }

void Inquiry::on_deadline(void* self, Time now) {
  auto& inquiry = *static_cast<Inquiry*>(self);
  inquiry.finish(
      inquiry.backend_->pool().wait_error(inquiry.waiter_.variant, now - inquiry.waiter_.since));
}

void Inquiry::finish(Answer answer) {
  timer_.drop();
  backend_->pool().withdraw(waiter_);
  worker_.remove_holder(id_);
  // Never from inside the call that asked, which may hold a lock.
  worker_.loop().run_soon([tell = std::exchange(question_.answered, nullptr),
                           answer = std::move(answer)]() mutable { tell(std::move(answer)); });
  worker_.finished(*this);
}

}  // namespace weir::session
