"""How a population is trained: every engine gives the replicas that the visible loop gives."""
