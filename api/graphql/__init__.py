"""The GraphQL API: types declared next to their SQL, a planner that answers each root field with one statement."""
