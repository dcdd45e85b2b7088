# Owns how an app without a start command is served: `app` of main.py, whether it speaks ASGI or WSGI.
import inspect
import os
import sys

sys.path.insert(0, os.getcwd())
PORT = int(os.environ.get("PORT", "8080"))


def is_asgi(app):
    call = app if inspect.isroutine(app) else getattr(type(app), "__call__", None)
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call):
        return True
    # Frameworks of the first kind of ASGI return a coroutine from a plain function of three arguments.
    try:
        return len(inspect.signature(app).parameters) == 3
    except (TypeError, ValueError):
        return False


def main():
    try:
        from main import app
    except ImportError as error:
        if getattr(error, "name", None) in ("main", None) and "app" in str(error):
            sys.exit("main.py has no `app`: define it, or name a start command with `run` in the Spacefile")
        raise
    if is_asgi(app):
        import uvicorn
        uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
        return
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self):
            for name, value in {"bind": f"127.0.0.1:{PORT}", "worker_class": "gthread", "workers": 1, "threads": 8, "worker_tmp_dir": "/tmp", "loglevel": "warning"}.items():
                self.cfg.set(name, value)

        def load(self):
            return app

    sys.argv = sys.argv[:1]
    Server().run()


main()
