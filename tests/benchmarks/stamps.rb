# The rival in Ruby: a job of Sidekiq that notes its first and its last line, in the log of both sides.
#
# As a program it pushes a job for each line that it reads, and answers with the time of the call.

require "sidekiq"

redis = { url: ENV.fetch("REDIS_URL") }
Sidekiq.configure_server { |config| config.redis = redis }
Sidekiq.configure_client { |config| config.redis = redis }

class Stamps
  include Sidekiq::Worker
  sidekiq_options queue: "sidekiq", retry: false

  def perform(seconds)
    note("first")
    sleep(seconds) if seconds > 0
    note("last")
  end

  private

  def note(kind)
    File.open(ENV.fetch("PROBE_LOG"), "a") { |log| log.syswrite("#{kind} #{Process.clock_gettime(Process::CLOCK_REALTIME)}\n") }
  end
end

if $PROGRAM_NAME == __FILE__
  $stdout.sync = true
  $stdin.each_line do |line|
    called = Process.clock_gettime(Process::CLOCK_REALTIME)
    line.split.each { |seconds| Stamps.perform_async(seconds.to_f) }
    puts called
  end
end
