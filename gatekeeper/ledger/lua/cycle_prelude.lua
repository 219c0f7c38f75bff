-- What the verbs on cycles share beyond prelude.lua, which stands before this. It is a file of its own
-- because every call would pay for functions that it does not use.

-- Begin a period: what is left of the allotment lapses, the new one is granted, purchased credits
-- stay (R4). What a subscription had withheld is forgotten. The spending cap begins anew; where it
-- paused top-offs, the threshold is looked at, for an account that nothing can be taken from any more
-- has no debit that would.
local function begin_period(account, granted, start_ms, last_start_ms)
  local left = account.allotment
  if left > 0 then
    apply(account, -left, 0)
    append(account, 'allotment_lapsed', -left, 0, last_start_ms, 'cycle_ended')
  end
  apply(account, tonumber(granted), 0)
  redis.call('HSET', ACCOUNT, 'cycle_start_ms', start_ms, 'cycle_granted', granted)
  redis.call('HDEL', ACCOUNT, 'withheld', 'spent_minor', 'spent_start_ms', 'capped', 'cap_told')
  redis.call('HINCRBY', ACCOUNT, 'cycle_no', 1)
  append(account, 'cycle_started', granted, 0, start_ms, 'cycle_started')
  forget_warnings(account)
  if account.capped then
    account.capped = false
    look(account)
  end
end

-- Raise the allotment in the middle of its period, and grant the difference at once.
local function raise_allotment(account, rise, granted, start_ms)
  apply(account, rise, 0)
  redis.call('HSET', ACCOUNT, 'cycle_granted', granted)
  append(account, 'allotment_raised', rise, 0, start_ms, 'allotment_raised')
  forget_warnings(account)
end

