"""Whether the recommended settings of tasks are near tuned ones, and reach the simple methods (`make comparison`)."""
