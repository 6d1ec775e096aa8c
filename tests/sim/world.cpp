#include "world.h"

namespace weir::sim {

using base::kMillisecond;
using base::kSecond;

Weather SimWorld::weather_of(Random& random) {
  Weather out;
  out.short_io = random.percent(60);
  out.letters = random.percent(50);
  out.leavers = random.percent(40);
  out.cancels = random.percent(40);
  if (random.percent(40)) return out;
  out.stalls = random.percent(50);
  out.deaths = random.percent(50);
  out.refusals = random.percent(40);
  out.clock_jumps = random.percent(50);
  return out;
}

model::WorldOptions SimWorld::options_of(Random& random, const Weather& weather) {
  model::WorldOptions out;
  out.workers = static_cast<uint32_t>(random.between(1, 3));
  out.seed = random.below(1'000'000);
  out.pool.size = static_cast<int>(random.between(1, 4));
  out.pool.min = random.percent(30) ? 1 : 0;
  out.pool.overflow = random.percent(30) ? static_cast<int>(random.between(1, 2)) : 0;
  out.pool.overflow_after = random.between(1, 50) * kMillisecond;
  out.pool.retry_min = 10 * kMillisecond;
  out.pool.retry_max = 500 * kMillisecond;
  out.pool.fair = random.percent(70);
  out.pool.pick = static_cast<pool::Pick>(random.below(3));
  out.pool.idle_timeout = random.percent(30) ? random.between(20, 500) * kMillisecond : 0;
  out.pool.max_lifetime = random.percent(30) ? random.between(50, 2000) * kMillisecond : 0;
  out.pool.check_interval = random.percent(30) ? random.between(20, 200) * kMillisecond : 0;
  out.server_cap = random.percent(30) ? static_cast<int>(random.between(1, 4)) : 0;
  out.plan.mode = random.percent(80) ? session::Mode::Transaction : session::Mode::Session;
  out.plan.check_after = random.percent(30) ? random.between(1, 100) * kMillisecond : 0;
  out.plan.queue_notice = random.percent(20) ? 50 * kMillisecond : 0;
  out.plan.acquire_timeout = weather.is_calm() ? 0 : random.between(1, 20) * kSecond;
  out.plan.connect_timeout = weather.is_calm() ? 1000 * kSecond : random.between(1, 5) * kSecond;
  out.plan.timeouts.cancel = weather.is_calm() ? 1000 * kSecond : random.between(1, 10) * kSecond;
  out.plan.client.transaction_mode = out.plan.mode == session::Mode::Transaction;
  out.plan.client.prepared_statements =
      random.percent(50) ? 200 : static_cast<int>(random.between(1, 6));
  return out;
}

SimWorld::SimWorld(uint64_t seed)
    : random_(seed),
      weather_(weather_of(random_)),
      options_(options_of(random_, weather_)),
      world_(options_) {
  clients_left_ = static_cast<int>(random_.between(1, 8));
  const auto choose = [this](size_t count) { return random_.below(count); };
  world_.outside.set_chooser(choose);
  for (uint32_t id = 0; id < world_.workers(); ++id) world_.loop(id).set_chooser(choose);
  prepare_faults();
}

void SimWorld::prepare_faults() {
  world_.database.on_connection = [this](model::ModelServer& server) { disturb(server.stream()); };
  if (!weather_.refusals) return;
  world_.database.dial_fate = [this] {
    if (random_.percent(85)) return model::DialFate::Accept;
    return random_.percent(70) ? model::DialFate::Refuse : model::DialFate::Hang;
  };
  world_.database.login_fate = [this] {
    if (random_.percent(85)) return model::LoginFate::Welcome;
    return static_cast<model::LoginFate>(1 + random_.below(4));
  };
}

fake::FakeWay SimWorld::faulty_way() {
  fake::FakeWay way;
  way.window_bytes =
      random_.percent(50) ? 64 * 1024 : static_cast<size_t>(random_.between(1, 5000));
  way.take = [this](size_t offered) -> size_t {
    if (random_.percent(20)) return 0;
    return random_.percent(60) ? offered : 1 + random_.below(std::min<size_t>(offered + 1, 64));
  };
  way.deliver = [this](size_t held) -> size_t {
    return random_.percent(60) ? held : 1 + random_.below(std::min<size_t>(held, 64));
  };
  return way;
}

void SimWorld::disturb(fake::FakeStream& stream) {
  if (!weather_.short_io || random_.percent(30)) return;
  stream.inward() = faulty_way();
  stream.outward() = faulty_way();
}

void SimWorld::add_client() {
  --clients_left_;
  SimClient::Options options;
  options.id = ++last_client_;
  options.worker = static_cast<uint32_t>(random_.below(world_.workers()));
  options.turns = static_cast<int>(random_.between(0, 15));
  const bool room = options_.plan.client.prepared_statements > 6;
  options.pipeline_max =
      random_.percent(60) || !room ? 1 : static_cast<size_t>(random_.between(2, 8));
  options.cancels = weather_.cancels && random_.percent(50);
  if (weather_.leavers && random_.percent(40))
    options.leaves_after = static_cast<int>(random_.between(0, 60));
  options.tolerance = {.refused_turns = !weather_.is_calm(), .loss = !weather_.is_calm()};
  options.program.pipelines = options.pipeline_max > 1;
  options.program.blocks = random_.percent(80);
  options.program.extended = random_.percent(80);
  options.program.settings = random_.percent(80);
  // What was reset is only restored before a request that finds nothing else under way.
  options.program.resets = !options.program.pipelines && random_.percent(40);
  options.program.copies = random_.percent(70);
  options.program.sleeps = random_.percent(50);
  options.program.leaves_state = random_.percent(30);
  options.program.pad_max = random_.percent(10) ? 100'000 : 2000;
  clients_.push_back(std::make_unique<SimClient>(world_, random_, options));
  if (clients_.back()->stream()) disturb(*clients_.back()->stream());
}

// ---------------------------------------------------------------- what happens

std::string SimWorld::run() {
  const int events = static_cast<int>(random_.between(200, 1500));
  for (int i = 0; i < events && failure_.empty(); ++i) {
    happen();
    failure_ = failure();
  }
  if (!failure_.empty()) return failure_;
  calm_down();
  if (!come_to_rest())
    return failure_.empty() ? "it does not come to rest\n" + check_clients() : failure_;
  if (auto wrong = check_counts(); !wrong.empty()) return wrong;
  return close_down();
}

void SimWorld::happen() {
  const uint64_t dice = random_.below(100);
  if (dice < 60) return step_some_loop();
  if (dice < 75 && !clients_.empty()) return clients_[random_.below(clients_.size())]->act();
  if (dice < 80 && clients_left_ > 0) return add_client();
  if (dice < 84) return wake_sleeper();
  if (dice < 90) return trouble();
  world_.advance(random_.between(0, 8) * kMillisecond);
  if (random_.percent(30)) world_.tick();
}

void SimWorld::step_some_loop() {
  for (uint64_t i = random_.below(8); i > 0; --i) {
    const uint64_t which = random_.below(world_.workers() + 1);
    which == 0 ? world_.outside.step() : world_.loop(static_cast<uint32_t>(which - 1)).step();
  }
  world_.database.sweep();
}

void SimWorld::wake_sleeper() {
  for (model::ModelServer* server : world_.database.servers())
    if (server->session().sleeping() && random_.percent(30)) return server->wake(false);
}

// Both ends hear of it: a stall that nobody can lift any more would hide it for ever.
void SimWorld::break_off(fake::FakeStream& stream) {
  stream.inward().stalled = stream.outward().stalled = false;
  stream.reset();
}

void SimWorld::trouble() {
  switch (random_.below(5)) {
    case 0:
      if (weather_.letters)
        world_.loop(static_cast<uint32_t>(random_.below(world_.workers())))
            .hold_letters(random_.percent(40));
      return;
    case 1:
      if (weather_.stalls) stall_something();
      return;
    case 2: {
      const auto servers = world_.database.servers();
      if (!weather_.deaths || servers.empty() || !random_.percent(30)) return;
      model::ModelServer* server = servers[random_.below(servers.size())];
      if (random_.percent(30))
        break_off(server->stream());
      else
        server->die(random_.percent(50));
      return;
    }
    case 3:
      if (!weather_.deaths || clients_.empty() || !random_.percent(20)) return;
      if (SimClient* client = clients_[random_.below(clients_.size())].get(); client->stream())
        break_off(*client->stream());
      return;
    default:
      if (weather_.clock_jumps && random_.percent(20))
        world_.advance(random_.between(1, 15'000) * kMillisecond);
  }
}

void SimWorld::stall_something() {
  const auto toggle = [this](fake::FakeStream& stream) {
    fake::FakeWay& way = random_.percent(50) ? stream.inward() : stream.outward();
    way.stalled = !way.stalled;
  };
  const auto servers = world_.database.servers();
  if (random_.percent(50) && !servers.empty())
    return toggle(servers[random_.below(servers.size())]->stream());
  if (clients_.empty()) return;
  if (SimClient* client = clients_[random_.below(clients_.size())].get(); client->stream())
    toggle(*client->stream());
}

// No trouble from now on; who is still to come comes.
void SimWorld::calm_down() {
  for (uint32_t id = 0; id < world_.workers(); ++id) world_.loop(id).hold_letters(false);
  world_.database.dial_fate = [] { return model::DialFate::Accept; };
  world_.database.login_fate = [] { return model::LoginFate::Welcome; };
  for (model::ModelServer* server : world_.database.servers())
    server->stream().inward().stalled = server->stream().outward().stalled = false;
  for (const auto& client : clients_)
    if (client->stream())
      client->stream()->inward().stalled = client->stream()->outward().stalled = false;
  while (clients_left_ > 0) add_client();
}

bool SimWorld::come_to_rest() {
  const auto at_rest = [this] {
    const pool::Snapshot now = world_.pool().snapshot();
    if (now.busy + now.opening + now.closing + now.waiting > 0) return false;
    for (uint32_t id = 0; id < world_.workers(); ++id)
      if (!world_.worker(id).clients().empty()) return false;
    return std::all_of(clients_.begin(), clients_.end(),
                       [](const auto& client) { return client->over(); });
  };
  for (int round = 0; round < 3000; ++round) {
    world_.settle();
    for (const auto& client : clients_) client->act();
    for (model::ModelServer* server : world_.database.servers()) server->wake(false);
    world_.settle();
    failure_ = failure();
    if (!failure_.empty()) return false;
    if (at_rest()) return true;
    world_.advance(round < 500 ? 20 * kMillisecond : 500 * kMillisecond);
    world_.tick();
  }
  return false;
}

// ---------------------------------------------------------------- what must hold

std::string SimWorld::failure() {
  for (const auto& client : clients_)
    if (!client->failure().empty()) return client->failure();
  if (!world_.database.alarm.empty()) return "a server was alarmed: " + world_.database.alarm;
  return check_limits();
}

std::string SimWorld::check_limits() {
  const int open = world_.database.open_count();
  const int most = options_.pool.size + options_.pool.overflow;
  if (open > most)
    return std::to_string(open) + " servers are open, more than " + std::to_string(most);
  if (options_.server_cap > 0 && open > options_.server_cap) return "more servers than the cap";
  return {};
}

std::string SimWorld::check_clients() {
  std::string out;
  for (const auto& client : clients_)
    if (!client->over()) out += "  " + client->describe() + "\n";
  for (uint32_t id = 0; id < options_.workers; ++id) {
    for (const auto& view : world_.worker(id).clients())
      out += "  session " + std::to_string(view.id) + " " + view.state + "\n";
    for (const auto& view : world_.worker(id).servers())
      out += "  server " + std::to_string(view.id) + " " + view.state + "\n";
  }
  return out;
}

std::string SimWorld::check_counts() {
  for (size_t i = 0; i < base::Tally<session::ClientCount>::kSize; ++i)
    if (const auto count = world_.clients(static_cast<session::ClientCount>(i)); count != 0)
      return "clients are still counted, in state " + std::to_string(i) + ": " +
             std::to_string(count);
  if (world_.admitted() != 0) return "admitted clients: " + std::to_string(world_.admitted());
  const int idle = world_.pool().snapshot().idle;
  if (world_.cap().used() != idle)
    return "the budget says " + std::to_string(world_.cap().used()) + ", idle are " +
           std::to_string(idle);
  if (world_.database.open_count() != idle)
    return "open are " + std::to_string(world_.database.open_count()) + ", idle are " +
           std::to_string(idle);
  for (model::ModelServer* server : world_.database.servers())
    if (server->is_pooled() && server->session().status() != 'I')
      return "an idle server is in a transaction";
  if (world_.sum([](const session::Stats& stats) {
        return stats.resetting.value() + stats.checking.value();
      }) != 0)
    return "resets or checks are still counted";
  return {};
}

std::string SimWorld::close_down() {
  world_.pool().close_idle(world_.worker(0).orders());
  world_.worker(0).carry_out(world_.backend());
  for (int i = 0; i < 4; ++i) {
    world_.settle();
    world_.advance(500 * kMillisecond);
  }
  const pool::Snapshot now = world_.pool().snapshot();
  if (now.idle + now.busy + now.opening + now.closing + now.waiting != 0)
    return "servers are left in the pool";
  if (world_.cap().used() != 0) return "the budget is not empty";
  if (world_.database.open_count() != 0) return "servers are still open";
  if (!world_.database.alarm.empty()) return "a server was alarmed: " + world_.database.alarm;
  return {};
}

}  // namespace weir::sim
