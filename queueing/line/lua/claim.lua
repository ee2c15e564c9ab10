-- claim: a worker takes the first present entry. Absent entries ahead of it step aside into held.
-- One window of the line a call: a script blocks everybody, so a long row of absent entries is passed in several calls.
-- Without an epoch of this server the rows are still on their way back into the line: only foreign jobs, which have no
-- row, are claimed.
-- For a while after a flush, an entry that joined since then is not claimed while somebody ahead of it is away.
-- The levers come first: a worker may have waited since before staff paused the line. Without a copy of them nobody
-- knows whether it is paused.
-- ARGV    1 worker
--         2 window: how many ids to look at (at most 1,000)
--         3 grace in ms
--         4 "1": wait for an epoch
-- Return  {id, passed, epoch, "", job}: claimed; epoch is 0 when there is none, and 2 while newcomers wait; job is the
--           hash of its job as HGETALL gives it, or {"unreadable"}
--         {"", passed, 2}: the present entries are newcomers that wait
--         {"", passed, epoch}: the whole window was absent, call again with a larger one
--         {"", 0, 0}: there is no epoch and no foreign job
--         {"", 0, 1, "unknown"}: there is no copy of the levers: write one, and call again
--         {"", 0, 1, "limit"}: as many run, or were started in the last minute, as the levers allow
--         {}: the line is empty or paused, or the workers are suspended
local worker, window, MINUTE = ARGV[1], tonumber(ARGV[2]), 60000

-- RQ's word to all workers to take nothing; the levers, the epoch, and the last lost place.
local told = redis.call('MGET', 'rq:suspended', levers_copy, epoch, newest)
local levers, last_lost = parse_levers(told[2]), told[4]
if told[1] then
  return {}
end
if not levers then
  return { '', 0, 1, 'unknown' }
end
if is_paused(levers) then
  return {}
end

-- The hash of a job. Another program may have written something else under its name.
local function job_of(id)
  local fields = redis.pcall('HGETALL', JOB .. id)
  return fields.err and { 'unreadable' } or fields
end

-- The worker asks again because the reply to its claim was lost: give it the same entry.
local mine = redis.call('HGET', claims, worker)
if mine and id_of(mine) ~= '' then
  return { id_of(mine), 0, 1, '', job_of(id_of(mine)) }
end

-- Jobs that stock RQ pushed (requeue, dependents, schedules) go to the end of the line, unless they have a place already.
-- Jobs of entries are left out: their place comes from the row, and the keeper gives a lost one back.
local pushed = redis.call('LPOP', inbox, 500)
if pushed then
  local claimed = claimed_ids()
  local last = redis.call('ZRANGE', line, -1, -1, 'WITHSCORES')
  local score = tonumber(last[2] or 0)
  for _, id in ipairs(pushed) do
    -- The job of an entry has its own id for a description.
    local description = redis.call('HGET', JOB .. id, 'description')
    if description and description ~= id and not claimed[id] and not redis.call('ZSCORE', held, id) then
      score = score + 1
      redis.call('ZADD', line, 'NX', score, id)
      -- Nobody has to be there for a foreign job: its presence has no end, and goes with the claim.
      redis.call('SET', PRESENCE .. id, '1', 'NX')
      redis.call('SADD', foreign, id)
    end
  end
  numbers_changed()
end

-- Puts the ids from this index on back into the line.
local function put_back(ids, scores, first)
  local places = {}
  for i = first, #ids do
    places[#places + 1], places[#places + 2] = scores[i], ids[i]
  end
  if #places > 0 then
    redis.call('ZADD', line, unpack(places))
  end
end

local function hand_out(id, score, passed, state)
  local now = clock()
  local claim = string.format('%s:%s:%.0f', id, score, now)
  redis.call('HSET', claims, worker, claim)
  redis.call('ZADD', starts, now, claim)
  redis.call('ZREMRANGEBYSCORE', starts, '-inf', now - MINUTE)
  redis.call('PEXPIRE', starts, MINUTE)
  numbers_changed()
  return { id, passed, state, '', job_of(id) }
end

-- While entries wait: a foreign job, if there is one. It has no visitor, so it waits for nobody.
local function hand_out_foreign(passed, state)
  local first = redis.call('ZINTER', 2, line, foreign, 'WEIGHTS', 1, 0, 'WITHSCORES')
  if #first == 0 then
    return { '', passed, state }
  end
  redis.call('ZREM', line, first[1])
  return hand_out(first[1], first[2], passed, state)
end

-- True if an entry has joined since the flush. Its place is its score without the priority.
local function is_newcomer(id, score, last_lost)
  return tonumber(score) % 2 ^ 40 > (tonumber(last_lost) or math.huge) and redis.call('SISMEMBER', foreign, id) == 0
end

-- True for a newcomer while somebody ahead of it is away: a page that polls is back at its next poll.
local function must_wait(id, score, last_lost)
  return is_newcomer(id, score, last_lost) and redis.call('ZCOUNT', held, '-inf', '(' .. score) > 0
end

-- While newcomers wait: the first that is present and joined before the flush, or is foreign, among the next 500.
local function hand_out_earlier(passed, last_lost)
  local found = redis.call('ZRANGE', line, 0, 499, 'WITHSCORES')
  local ids, scores = {}, {}
  for i = 1, #found, 2 do
    ids[#ids + 1], scores[#scores + 1] = found[i], found[i + 1]
  end
  local present = redis.call('MGET', unpack(presence_names(ids)))
  for i, id in ipairs(ids) do
    if present[i] and not is_newcomer(id, scores[i], last_lost) then
      redis.call('ZREM', line, id)
      return hand_out(id, scores[i], passed, 2)
    end
  end
  return hand_out_foreign(passed, 2)
end

-- The number of entries that run or are about to.
local function count_running()
  local number = redis.call('ZCARD', running)
  for id in pairs(claimed_ids()) do
    -- A claim may outlive the start: its worker could not reach Redis.
    number = number + (redis.call('ZSCORE', running, id) and 0 or 1)
  end
  return number
end

-- The number of claims in the last minute. A later moment than now is a relic: the server's clock was put back.
local function count_starts()
  local now = clock()
  redis.call('ZREMRANGEBYSCORE', starts, '-inf', now - MINUTE)
  redis.call('ZREMRANGEBYSCORE', starts, now + 1, '+inf')
  return redis.call('ZCARD', starts)
end

local function is_at_limit()
  local most, pace = tonumber(levers.max_running), tonumber(levers.max_starts)
  return (most and count_running() >= most) or (pace and count_starts() >= pace)
end

if redis.call('EXISTS', line) == 0 then
  return {}
end
if is_at_limit() then
  return { '', 0, 1, 'limit' }
end
local state = told[3] and is_of_this_server(told[3]) and 1 or 0
if state == 0 and ARGV[4] == '1' then
  return hand_out_foreign(0, 0)
end

-- The window is taken out of the line. What is behind the first present entry goes back.
local taken = redis.call('ZPOPMIN', line, window)
local ids, scores = {}, {}
for i = 1, #taken, 2 do
  ids[#ids + 1], scores[#scores + 1] = taken[i], taken[i + 1]
end
local present = redis.call('MGET', unpack(presence_names(ids)))

local passed = 0
while passed < #ids and not present[passed + 1] do
  passed = passed + 1
end
if passed > 0 then
  local absent, now = passed == #ids and ids or { unpack(ids, 1, passed) }, clock()
  hold_places(absent, scores, now, ARGV[3], 'lost', now)
end
if passed == #ids then
  return { '', passed, state }
end
local id, score = ids[passed + 1], scores[passed + 1]
if last_lost and must_wait(id, score, last_lost) then
  put_back(ids, scores, passed + 1)
  return hand_out_earlier(passed, last_lost)
end
put_back(ids, scores, passed + 2)
return hand_out(id, score, passed, state)
