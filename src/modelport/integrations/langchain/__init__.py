"""Genuine LangChain objects of our models, and models of LangChain's objects; needs the extra `langchain`."""
