-- reserve: a place is set aside for an entry that is about to be stored, unless the line is closed or a limit is
-- reached. So many joins at the same moment cannot all see the last place free.
-- KEYS    after the line's keys:
--         1 counter: joins of this line in this minute
--         2 brake: lives while the line takes joins with a check only
--         3 string: the sums of what is stored, where they are on this server
--         4 zset token -> ms: the requests that are storing this entry
--         5 zset id -> ms: places of the address whose page was not looked at, and when they are over; may be missing
--         6 string: when the address's next join would be on time; may be missing
-- ARGV    1 job id; "": only look, reserve nothing
--         2 the token of the request; with the same one again the reply was lost: it was let in, and has paid
--         3 places that the line may have, if its levers do not say it
--         4 the weight of a held place among them
--         5 ttl in ms of the reservation, which `place` takes away
--         6 joins of this line in a minute that put the brake on; 0: never
--         7 ttl in ms of the brake
--         8 ms between two joins of the address
--         9 joins of the address at once
--        10 unseen places of the address
--        11 ttl in ms of the unseen places of the address
-- Return  {refusal, ms, levers, sums, entries, joins, id, id, ...}
--         refusal: "", "closed", or the limit that is reached (full | joins | unseen); ms: until it is not any more
--         levers, sums: their texts; false: no sums on this server
--         entries: in the line, held ones too; joins: of this line in this minute, if they are counted
--         ids: other joins of the address that are being stored
--         {"unknown"}: there is no copy of the levers: write one, and call again
local joins_key, brake, sums_key, storing, from, on_time_key = own(1), own(2), own(3), own(4), own(5), own(6)
local id, token, now = ARGV[1], ARGV[2], clock()
local looks = id == ''
local told = redis.call('MGET', levers_copy, sums_key)
local levers = parse_levers(told[1])
if not levers then
  return { 'unknown' }
end
local most = tonumber(levers.max_line) or tonumber(ARGV[3])

local function refuse(why, ms)
  if not looks then
    give_up(storing, token, id, now)
  end
  return { why, math.ceil(ms), told[1], told[2] }
end

if is_closed(levers) then
  return refuse('closed', 0)
end
-- The first write of the script: a Redis that is full refuses it, but not one behind another write.
local was_let_in = false
if looks then
  redis.call('SET', 'queueing:writable', '1', 'PX', 1000)
else
  forget_others(storing, 'zset')
  was_let_in = redis.call('ZADD', storing, now + ARGV[5], token) == 0
  redis.call('PEXPIRE', storing, ARGV[5])
  redis.call('ZADD', reserved, now + ARGV[5], id)
end
redis.call('ZREMRANGEBYSCORE', reserved, '-inf', now)

local absent = redis.call('ZCARD', held)
local entries = redis.call('ZCARD', line)
  + redis.call('ZCARD', unseen)
  + redis.call('ZCARD', reserved)
  + (looks and 1 or 0)
if entries + absent * ARGV[4] > most and not was_let_in then
  return refuse('full', 0)
end

local under_way = {}
if from then
  -- GCRA, the virtual scheduling algorithm of ITU-T I.371: a join is on time, or early by less than the burst. A time
  -- that is too far away is a relic: the server's clock was put back.
  local interval, burst = tonumber(ARGV[8]), tonumber(ARGV[9])
  -- The keeper does not know the addresses, so another program's values would stay.
  forget_others(on_time_key, 'string')
  forget_others(from, 'zset')
  local written = string.match(redis.call('GET', on_time_key) or '', '^%d+%.?%d*$')
  local on_time = math.max(tonumber(written) or now, now)
  on_time = math.min(on_time, now + burst * interval)
  local early = on_time - now - (burst - 1) * interval
  if early > 0 and not was_let_in then
    return refuse('joins', early)
  end
  -- The places that were looked at meanwhile, or have ended, are forgotten here: no other script knows addresses.
  local ids, left = redis.call('ZRANGE', from, 0, -1), 0
  for first = 1, #ids, 1000 do
    local some, over = { unpack(ids, first, math.min(first + 999, #ids)) }, {}
    local not_seen = redis.call('ZMSCORE', unseen, unpack(some))
    local not_stored = redis.call('ZMSCORE', reserved, unpack(some))
    for i, other in ipairs(some) do
      if not not_seen[i] and not not_stored[i] then
        over[#over + 1] = other
      elseif not not_seen[i] and other ~= id then
        under_way[#under_way + 1] = other
      end
    end
    if #over > 0 then
      redis.call('ZREM', from, unpack(over))
    end
    left = left + #some - #over
  end
  if left >= tonumber(ARGV[10]) and not was_let_in then
    local first = redis.call('ZRANGE', from, 0, 0, 'WITHSCORES')
    return refuse('unseen', math.max(first[2] - now, 0))
  end
  if not looks and not was_let_in then
    local next_on_time = on_time + interval
    redis.call('SET', on_time_key, string.format('%.3f', next_on_time), 'PX', math.ceil(next_on_time - now))
    redis.call('ZADD', from, 'NX', now + ARGV[5], id)
    redis.call('PEXPIRE', from, ARGV[11])
  end
end

local joins = 0
if not looks and not was_let_in and tonumber(ARGV[6]) > 0 then
  forget_others(joins_key, 'string')
  local counted = redis.call('GET', joins_key)
  if counted and not (#counted < 10 and string.match(counted, '^%d+$')) then
    redis.call('DEL', joins_key)
  end
  joins = redis.call('INCR', joins_key)
  if redis.call('PTTL', joins_key) < 0 then
    redis.call('PEXPIRE', joins_key, 60000)
  end
  if joins >= tonumber(ARGV[6]) then
    redis.call('SET', brake, '1', 'PX', ARGV[7])
  end
end
return { '', 0, told[1], told[2], entries + absent, joins, unpack(under_way) }
