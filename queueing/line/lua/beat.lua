-- beat: the pages of these entries are open. Held entries are back in the very same place, and entries whose page was
-- not looked at before take theirs.
-- ARGV    1 ttl of presence in ms
--         2 job ids (at most 1,000), separated by newlines: packing an argument for each id takes the caller as long as
--           all the rest of a beat
-- Return  the ids that were held and are back
local ids, gone, now = {}, {}, clock()
-- A Redis that is full refuses this, but not PEXPIRE: nobody is present on a Redis that takes no writes.
redis.call('SET', 'queueing:writable', '1', 'PX', 1000)
for id in string.gmatch(ARGV[2], '[^\n]+') do
  -- The key holds the moment since when a page has been open without a gap. One that ran out, or that a flush took, is
  -- made anew.
  if redis.call('PEXPIRE', PRESENCE .. id, ARGV[1]) == 0 then
    redis.call('SET', PRESENCE .. id, string.format('%.0f', now), 'PX', ARGV[1])
  end
  ids[#ids + 1] = id
  gone[#gone + 1] = GONE .. id
end
redis.call('DEL', unpack(gone))

-- Moves those of the ids that are in this place into the line.
local function take_out(place)
  local out = {}
  if redis.call('EXISTS', place) == 0 then
    return out
  end
  for i, score in ipairs(redis.call('ZMSCORE', place, unpack(ids))) do
    if score then
      redis.call('ZADD', line, score, ids[i])
      out[#out + 1] = ids[i]
    end
  end
  if #out > 0 then
    redis.call('ZREM', place, unpack(out))
    redis.call('ZREM', due, unpack(out))
    numbers_changed()
    wake_workers(out)
  end
  return out
end

take_out(unseen)
local back = take_out(held)
if #back > 0 then
  redis.call('HDEL', absence, unpack(back))
  note(now, 'back', '', back)
end
return back
