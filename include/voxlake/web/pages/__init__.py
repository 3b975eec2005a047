"""The pages: one router each."""

from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = ()
